# Sourced by the container's entrypoint, once, before its worker starts: what all tasks on this machine share. Whatever
# it sets, the tasks see. Without a container nobody reads it.
aws ${AWS_ENDPOINT_URL_S3:+--endpoint-url "$AWS_ENDPOINT_URL_S3"} s3 cp --only-show-errors --recursive \
  "${DATA:?is not set: give the folder or s3://bucket/prefix that holds reads and reference}/reference" reference
REFERENCE=$PWD/reference/genome.fa
