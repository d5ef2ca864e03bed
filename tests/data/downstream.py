"""downstream.py SEED COPIES FOLDER|CONNECTION_STRING CONTAINER: a job that takes landed files away while others are landing.

Again and again it lists the Parquet files that readers see below FOLDER, or in the container, copies some of them by chance to a new name
in COPIES, and then removes them where they were. It ends by SIGTERM, when no file is both copied and still there.
"""

import pathlib
import random
import shutil
import signal
import sys
import time

seed, copies, place, *container = sys.argv[1:]
chance, copies = random.Random(int(seed)), pathlib.Path(copies)
running, taken, copied = True, 0, {}


def stop(*_):
    global running
    running = False


signal.signal(signal.SIGTERM, stop)


class Directory:
    root = pathlib.Path(place)

    def list(self):
        for file in self.root.rglob("*.parquet"):
            if "_landfall" not in file.parts:
                try:
                    yield str(file), file.stat().st_ino
                except FileNotFoundError:
                    pass

    def copy(self, name, to):
        shutil.copyfile(name, to)

    def remove(self, name):
        pathlib.Path(name).unlink(missing_ok=True)


class Container:
    def __init__(self):
        from azure.storage.blob import ContainerClient

        self.client = ContainerClient.from_connection_string(place, container[0], retry_total=0)

    def list(self):
        for blob in self.client.list_blobs():
            if blob.name.endswith(".parquet") and not blob.name.startswith("_landfall/"):
                yield blob.name, blob.etag

    def copy(self, name, to):
        with to.open("wb") as file:
            self.client.download_blob(name).readinto(file)

    def remove(self, name):
        from azure.core.exceptions import ResourceNotFoundError

        try:
            self.client.delete_blob(name)
        except ResourceNotFoundError:
            pass


store = Container() if container else Directory()
while running or copied:
    try:
        for name, version in list(store.list()):
            if copied.get(name) != version:
                if not running or chance.random() < 0.5:
                    continue
                taken += 1
                part = copies / "part"
                store.copy(name, part)
                # From here on the copy counts, and the file has to go, however often that is tried.
                part.rename(copies / f"{taken:06}-{pathlib.Path(name).name}")
                copied[name] = version
            store.remove(name)
            del copied[name]
        copied.clear()
    except OSError as e:
        print(type(e).__name__, e, flush=True)
    except Exception as e:
        if container and type(e).__module__.startswith("azure."):
            print(type(e).__name__, e, flush=True)
        else:
            raise
    time.sleep(0.3)
