#!/usr/bin/env bash
# The example with DynamoDB and S3: the scripts travel as an archive, reads and results are in a bucket, and workers start
# as they do in a container. Usage: aws.sh BUCKET, in a copy of this folder.
#
# `make example-variants-aws` runs it against servers on this machine. On an account the workers below are jobs of AWS
# Batch: the same entrypoint with the same variables.
set -euo pipefail
bucket=$1
export AWS_PAGER='' DATA=s3://$bucket/cohort S3_BUCKET=$bucket
TAGS=sample,chromosome,variants:int,depth:float,file
JOINT=chromosome,samples:int,snvs:int,indels:int,file

s3() { aws ${AWS_ENDPOINT_URL_S3:+--endpoint-url "$AWS_ENDPOINT_URL_S3"} s3 "$@"; }
say() { printf '\n== %s ==\n' "$*"; }

workers() { # workers TABLE: two containers, each with a file system of its own, work until nothing is left
  for _ in 1 2; do
    PYANAMO_TABLE=$1 PYANAMO_SCRIPTS=s3://$bucket/scripts.tar.gz PYANAMO_SCRIPTS_SHA256=$sum PYANAMO_ITEMS=1 \
      PYANAMO_WORKDIR=$(mktemp -d) python -m pyanamo_async.entrypoint --quiet &
  done
  wait -n
  wait -n
}

say "set up"
python3 cohort.py
echo S8,reads/S8_1.fastq.gz,reads/S8_2.fastq.gz >> samples.csv
bash scripts/reference.sh reference/genome.fa 2> reference.log
tar -czf scripts.tar.gz scripts
sum=$(sha256sum scripts.tar.gz | cut -d ' ' -f 1)
s3 ls "s3://$bucket" > /dev/null 2>&1 || s3 mb "s3://$bucket"
s3 cp --only-show-errors scripts.tar.gz "s3://$bucket/scripts.tar.gz"
for folder in reads reference; do
  s3 cp --only-show-errors --recursive "$folder" "$DATA/$folder"
done

say "align"
pyanamo import samples.csv -t align --id 'align-{sample}' --sample '{sample}' \
  --script 'bash ${PIPELINE}/align.sh {sample} {fastq_1} {fastq_2}'
workers align

say "call"
pyanamo samples align call --through align --not-through call --tsv |
  pyanamo import - -t call --id 'call-{sample}' --sample '{sample}' \
    --script 'bash ${PIPELINE}/call.sh {sample}' --args chr1,chr2,chr3
workers call

say "join"
members=$(pyanamo samples call --through call --names | tr '\n' ' ')
printf '%s\n' chromosome chr1 chr2 chr3 |
  pyanamo import - -t cohort --on-exists update --id 'cohort-{chromosome}' --sample '{chromosome}' \
    --script "bash \${PIPELINE}/cohort.sh {chromosome} $members"
workers cohort

say "look at it"
pyanamo samples align call
pyanamo results -t cohort --tag-names $JOINT
pyanamo export -t call --to results.db --as calls --tag-names $TAGS
pyanamo export -t cohort --to results.db --as cohort --tag-names $JOINT
pyanamo export -t call --to calls.parquet --tag-names $TAGS
pyanamo report align call cohort --to report.html
s3 cp --only-show-errors --recursive "$DATA/results" results
python3 compare.py
