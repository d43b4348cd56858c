# Sourced by the steps: where reads and results are. DATA is a folder, the current one by default, or s3://bucket/prefix.
# A step works in a fresh folder of its own, fetches what it needs into that, and stores what it has made: a copy under
# another name, then a rename, so that nobody ever reads half a file, even if two attempts meet.
DATA=${DATA:-$PWD}
REFERENCE=${REFERENCE:-$PWD/reference/genome.fa}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fetch() { # fetch FOLDER FILE...: bring files from a folder of DATA here
  folder=$1
  shift
  case $DATA in
    s3://*) copy "$DATA/$folder" . "$@" ;;
    *) for file in "$@"; do ln -s "$DATA/$folder/$file" .; done ;;
  esac
}

store() { # store FOLDER FILE...: put files from here into a folder of DATA
  folder=$1
  shift
  case $DATA in
    s3://*) copy . "$DATA/$folder" "$@" ;;
    *)
      mkdir -p "$DATA/$folder"
      for file in "$@"; do
        cp "$file" "$DATA/$folder/.$file.$$"
        mv "$DATA/$folder/.$file.$$" "$DATA/$folder/$file"
      done
      ;;
  esac
}

copy() { # copy FROM TO FILE...: all with one start of a program that takes a second to start
  from=$1 to=$2
  shift 2
  # shellcheck disable=SC2046 # a word for each file
  aws ${AWS_ENDPOINT_URL_S3:+--endpoint-url "$AWS_ENDPOINT_URL_S3"} s3 cp --only-show-errors --recursive \
    "$from" "$to" --exclude '*' $(printf -- '--include %s ' "$@")
}
