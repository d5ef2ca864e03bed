"""blobs.py CONNECTION_STRING CONTAINER FOLDER: copies every blob of CONTAINER that FOLDER does not have yet, by its name; prints all names and sizes as JSON."""

import json
import pathlib
import sys

from azure.storage.blob import ContainerClient

connection, container, folder = sys.argv[1:]
client = ContainerClient.from_connection_string(connection, container)
sizes = {}
for blob in client.list_blobs():
    sizes[blob.name] = blob.size
    path = pathlib.Path(folder, blob.name)
    if path.exists() and path.stat().st_size == blob.size:
        continue
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        client.download_blob(blob.name).readinto(file)
print(json.dumps(sizes))
