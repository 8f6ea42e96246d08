#!/bin/sh
# Certificates for this machine: an authority of its own, and a certificate for each service that is named, which the
# service shows to its callers and to the services that it calls. From the workspace's root:
#
#     sh crates/chassis-tls/dev-certificates.sh orders inventory
#
# Writes certificates/SERVICE/{tls.crt,tls.key,ca.crt}: the names that cert-manager gives them. Once more renews them, and
# services that run take the new ones. Needs openssl.
set -eu

if [ $# -eq 0 ]; then
    echo "usage: sh $0 SERVICE ..." >&2
    exit 2
fi

# Nobody else gets into this directory.
umask 077
mkdir -p certificates
cd certificates
echo '*' > .gitignore

key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1"
}

# request KEY NAME: a certificate request on standard output.
request() {
    openssl req -new -key "$1" -subj "/CN=$2"
}

if [ ! -f ca.crt ]; then
    key ca.key
    printf '%s\n' 'basicConstraints = critical, CA:TRUE' 'keyUsage = critical, keyCertSign, cRLSign' > new.ext
    request ca.key 'authority of this machine' |
        openssl x509 -req -sha256 -days 3650 -signkey ca.key -extfile new.ext -out new.crt
    mv new.crt ca.crt
fi

for service in "$@"; do
    key new.key
    printf '%s\n' 'basicConstraints = critical, CA:FALSE' 'keyUsage = critical, digitalSignature' \
        'extendedKeyUsage = serverAuth, clientAuth' \
        "subjectAltName = DNS:$service, DNS:localhost, IP:127.0.0.1, IP:::1" > new.ext
    request new.key "$service" |
        openssl x509 -req -sha256 -days 365 -CA ca.crt -CAkey ca.key -CAcreateserial -extfile new.ext -out new.crt
    mkdir -p "$service"
    # The user inside a container is another one.
    chmod 755 "$service"
    cp ca.crt new.ca
    chmod 644 new.crt new.key new.ca
    mv new.ca "$service/ca.crt"
    mv new.key "$service/tls.key"
    mv new.crt "$service/tls.crt"
    echo "certificates/$service"
done
rm -f new.ext
