#!/usr/bin/env bash
# Call the variants of a sample on a chromosome. Usage: call.sh SAMPLE CHROMOSOME
set -euo pipefail
sample=$1 chromosome=$2
. "$(dirname "$(realpath "$0")")/data.sh"

fetch results/bam "$sample.bam" "$sample.bam.bai"
calls=$sample.$chromosome.g.vcf.gz
bcftools mpileup -f "$REFERENCE" -r "$chromosome" -a FORMAT/AD,FORMAT/DP --gvcf 10 "$sample.bam" |
  bcftools call -m --gvcf 10 -O z -o "$calls"
tabix "$calls"
store results/calls "$calls" "$calls.tbi"

variants=$(bcftools view -H -i 'GT="alt"' "$calls" | wc -l)
depth=$(samtools coverage -H -r "$chromosome" "$sample.bam" | cut -f 7)
printf 'PyAnamo:\t%s\t%s\t%d\t%s\t%s\n' "$sample" "$chromosome" "$variants" "$depth" "results/calls/$calls"
