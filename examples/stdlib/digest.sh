# Count the lines of a file and take its SHA-256. Usage: sh digest.sh FILE
set -eu
wc -l < "$1"
sha256sum < "$1"
