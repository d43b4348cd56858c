# Sourced by the steps: where reads and results are. DATA is a folder, the current one by default, or s3://bucket/prefix.
# A step works in a fresh folder of its own, fetches what it needs into that, and stores what it has made: a copy under
# another name, then a rename, so that nobody ever reads half a file, even if two attempts meet.
DATA=${DATA:-$PWD}
REFERENCE=${REFERENCE:-$PWD/reference/genome.fa}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fetch() { # fetch PATH...: bring files of DATA here, under their own names
  for path in "$@"; do
    case $DATA in
      s3://*) s3 cp "$DATA/$path" . ;;
      *) ln -s "$DATA/$path" . ;;
    esac
  done
}

store() { # store FOLDER FILE...: put files into a folder of DATA
  folder=$1
  shift
  for file in "$@"; do
    case $DATA in
      s3://*) s3 cp "$file" "$DATA/$folder/$file" ;;
      *)
        mkdir -p "$DATA/$folder"
        cp "$file" "$DATA/$folder/.$file.$$"
        mv "$DATA/$folder/.$file.$$" "$DATA/$folder/$file"
        ;;
    esac
  done
}

s3() { # older versions of the AWS command line do not know the variable
  aws ${AWS_ENDPOINT_URL_S3:+--endpoint-url "$AWS_ENDPOINT_URL_S3"} s3 --only-show-errors "$@"
}
