#!/usr/bin/env bash
# Align the reads of a sample. Usage: align.sh SAMPLE FASTQ_1 FASTQ_2
set -euo pipefail
sample=$1
. "$(dirname "$(realpath "$0")")/data.sh"

reads_1=$(basename "$2") reads_2=$(basename "$3")
fetch "$(dirname "$2")" "$reads_1" "$reads_2"
gzip --test "$reads_1" "$reads_2" # bwa takes the end of a truncated file for the end of the reads

bwa mem -v 1 -R "@RG\tID:$sample\tSM:$sample" "$REFERENCE" "$reads_1" "$reads_2" |
  samtools sort -o "$sample.bam" -
samtools index "$sample.bam"
store results/bam "$sample.bam" "$sample.bam.bai"

reads=$(samtools view -c -F 0x900 "$sample.bam")
mapped=$(samtools view -c -F 0x904 "$sample.bam")
printf 'PyAnamo:\t%s\t%d\t%d\tresults/bam/%s.bam\n' "$sample" "$reads" "$mapped" "$sample"
