#!/bin/sh
# Prints the server's ssl.config for PEM files. With a third one, the authority of the
# clients' certificates, nobody gets in without such a certificate.
#
#   umask 077
#   sh ssl_config.sh SERVER.key SERVER.crt [CLIENT-CA.crt] > ssl.config
set -eu

field() {
  [ -s "$2" ] || {
    echo "Expected a PEM file for $1. Received: $2, which is missing or empty." >&2
    exit 2
  }
  echo "$1:"
  tr -d '\r' < "$2" | sed 's/.*/  "&\\n"/'
}

[ $# -eq 2 ] || [ $# -eq 3 ] || {
  echo "Expected KEY CERTIFICATE [CLIENT-CA]. Received: $# arguments." >&2
  exit 2
}
field server_key "$1"
field server_cert "$2"
if [ $# -eq 3 ]; then
  field custom_ca "$3"
  echo "client_verify: true"
fi
