"""Blobs of a container, for tests.

blobs.py create CONNECTION_STRING CONTAINER        creates the container
blobs.py list CONNECTION_STRING CONTAINER          does nothing more
blobs.py copy CONNECTION_STRING CONTAINER FOLDER   copies every blob that FOLDER does not have yet to its name below FOLDER
blobs.py put CONNECTION_STRING CONTAINER NAME FILE makes a blob of a file
blobs.py watch CONNECTION_STRING CONTAINER FILE    looks at all blobs again and again until FILE is gone

Prints the names and sizes of all blobs as JSON; after `watch` the names and when each was first seen, in milliseconds since the epoch.
"""

import json
import pathlib
import sys
import time

from azure.storage.blob import ContainerClient

action, connection, container, *folder = sys.argv[1:]
client = ContainerClient.from_connection_string(connection, container)
if action == "create":
    client.create_container()
if action == "put":
    client.upload_blob(folder[0], pathlib.Path(folder[1]).read_bytes())
seen = {}
while action == "watch" and pathlib.Path(folder[0]).exists():
    names = [blob.name for blob in client.list_blobs()]
    now = time.time() * 1e3
    seen.update((name, now) for name in names if name not in seen)
blobs = list(client.list_blobs())
for blob in blobs if action == "copy" else []:
    path = pathlib.Path(*folder, blob.name)
    if path.exists() and path.stat().st_size == blob.size:
        continue
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        client.download_blob(blob.name).readinto(file)
print(json.dumps(seen if action == "watch" else {blob.name: blob.size for blob in blobs}))
