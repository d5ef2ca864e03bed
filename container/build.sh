#!/usr/bin/env bash
# Lays out the file system of the image: build.sh BINARY ROOTFS
#
# The binary, the shared libraries that it needs, certificates of authorities, a user, and what scanners read of all that. The Dockerfile
# runs it in a build stage and copies ROOTFS into an empty image; without a container engine the folder is the whole result. It fails if a
# library is missing in it, or if it is larger than $MAX_MB (default 60).
set -euo pipefail

binary=${1:?build.sh BINARY ROOTFS} rootfs=${2:?build.sh BINARY ROOTFS}
[ ! -e "$rootfs" ] || { echo "build.sh: there is something at $rootfs already" >&2; exit 1; }

# put FILE: the file at the same place in the image, with what a link leads to.
put() {
  local to=$rootfs$1
  mkdir -p "$(dirname "$to")"
  cp --dereference --preserve=mode,timestamps "$1" "$to"
}
# Debian says where a file of /lib comes from under /usr/lib.
owner() { dpkg-query --search "$1" "/usr$1" "$(readlink --canonicalize "$1")" 2>/dev/null | head -1 | cut -d: -f1 || true; }

mkdir -p "$rootfs"/{etc/ssl/certs,tmp,usr/bin,usr/share/doc/landfall,var/lib/dpkg/status.d}
chmod 1777 "$rootfs/tmp"
install -m 0755 "$binary" "$rootfs/usr/bin/landfall"

# As "name => path (address)", and the loader as "path (address)".
needed=$(ldd "$binary")
if grep 'not found' <<<"$needed" >&2; then exit 1; fi
mapfile -t libraries < <(awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' <<<"$needed" | sort -u)
# OpenSSL loads it for old key stores when it is asked to.
legacy=$(dirname "$(grep -o '/[^ ]*libcrypto[^ ]*' <<<"$needed" || echo /none)")/ossl-modules/legacy.so
[ ! -e "$legacy" ] || libraries+=("$legacy")
for library in "${libraries[@]}"; do
  put "$library"
  package=$(owner "$library")
  [ -z "$package" ] || dpkg-query --status "$package" >"$rootfs/var/lib/dpkg/status.d/$package"
done

put /etc/ssl/certs/ca-certificates.crt
dpkg-query --status ca-certificates >"$rootfs/var/lib/dpkg/status.d/ca-certificates"
for file in /etc/os-release /etc/ssl/openssl.cnf; do [ ! -e "$file" ] || put "$file"; done
echo 'nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin' >"$rootfs/etc/passwd"
echo 'nonroot:x:65532:' >"$rootfs/etc/group"
echo 'hosts: files dns' >"$rootfs/etc/nsswitch.conf"
cp "$(dirname "$0")/../LICENSE" "$rootfs/usr/share/doc/landfall/"
# The bill of materials that `make sbom` has made beside the binary.
sbom=$(dirname "$binary")/landfall.cdx.json
[ ! -e "$sbom" ] || cp "$sbom" "$rootfs/usr/share/doc/landfall/"

# Nothing is needed that is not there, and nothing of a library is.
for library in "${libraries[@]}"; do
  while read -r path; do
    [ -e "$rootfs$path" ] || { echo "build.sh: $library needs $path, which is not in $rootfs" >&2; exit 1; }
  done < <(ldd "$library" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }')
done
# It runs in there, as the user of the image, where this machine lets one try.
if [ "$(id -u)" = 0 ] && chroot --userspec=65532:65532 "$rootfs" /usr/bin/landfall --version; then
  :
elif [ "$(id -u)" = 0 ]; then
  echo "build.sh: the binary does not run in $rootfs" >&2
  exit 1
else
  echo "build.sh: not root, so it was not tried whether the binary runs in $rootfs" >&2
fi

kb=$(du --summarize --apparent-size --block-size=1024 "$rootfs" | cut -f1)
awk -v kb="$kb" 'BEGIN { printf "%.1f MB in the image\n", kb / 1024 }'
if [ "$kb" -gt $((${MAX_MB:-60} * 1024)) ]; then
  echo "build.sh: more than ${MAX_MB:-60} MB" >&2
  exit 1
fi
