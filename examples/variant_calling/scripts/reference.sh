#!/usr/bin/env bash
# Index the reference, once for all samples. Usage: reference.sh GENOME.fa
set -euo pipefail

bwa index "$1"
samtools faidx "$1"
