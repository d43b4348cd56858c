#!/usr/bin/env bash
# Join the calls of samples on a chromosome into one file. Usage: cohort.sh CHROMOSOME SAMPLE...
set -euo pipefail
chromosome=$1
shift
. "$(dirname "$(realpath "$0")")/data.sh"

printf "%s.$chromosome.g.vcf.gz\n" "$@" > calls.txt
mapfile -t calls < calls.txt
fetch results/calls "${calls[@]}" "${calls[@]/%/.tbi}"
joint=cohort.$chromosome.vcf.gz
bcftools merge -g "$REFERENCE" -l calls.txt -O u |
  bcftools norm -f "$REFERENCE" -m -any -O u |
  bcftools view -i 'QUAL>=20 && GT="alt" && ALT!="<*>"' -O z -o "$joint"
tabix "$joint"
bcftools stats "$joint" > "cohort.$chromosome.txt"
store results/cohort "$joint" "$joint.tbi" "cohort.$chromosome.txt"

count() { grep -P "^SN\t0\tnumber of $1:" "cohort.$chromosome.txt" | cut -f 4; }
printf 'PyAnamo:\t%s\t%d\t%d\t%d\tresults/cohort/%s\n' "$chromosome" "$#" "$(count SNPs)" "$(count indels)" "$joint"
