"""Compare what was called with what was planted.

python3 compare.py       reads truth.vcf and results/ in the current folder; exits with 1 if they do not agree

A planted variant of a sample counts as covered if ten reads or more stand there. Of these, recall is the share that was
called; precision is the share of all calls with ten reads or more that were planted.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEPTH = 10
AT_LEAST = {"covered": 0.95, "recall": 0.95, "precision": 0.95, "genotypes": 0.95}
Place = tuple[str, str, str, str, str]  # sample, chromosome, position, reference, alternative


def run(*command: str | Path, feed: str | None = None) -> str:
    """Run a command, and return what it prints."""
    done = subprocess.run(command, input=feed, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stderr}")
    return done.stdout


def genotypes(calls: Path) -> dict[Place, tuple[int, int | None]]:
    """Read how often each sample carries each variant, and its depth; in one notation for the same change."""
    norm = run("bcftools", "norm", "-f", "reference/genome.fa", "-m", "-any", calls)
    has_depth = "##FORMAT=<ID=DP," in norm
    form = r"[%SAMPLE\t%CHROM\t%POS\t%REF\t%ALT\t%GT" + (r"\t%DP\n]" if has_depth else r"\t.\n]")
    found = {}
    for line in run("bcftools", "query", "-f", form, feed=norm).splitlines():
        *place, genotype, depth = line.split("\t")
        if copies := genotype.count("1"):
            found[tuple(place)] = (copies, int(depth) if depth.isdigit() else None)
    return found  # type: ignore[return-value]


def depths(samples: list[str], planted: set[Place]) -> dict[tuple[str, str, str], int]:
    """Count the reads of each sample at each planted place."""
    places = sorted({(chromosome, int(position)) for _, chromosome, position, *_ in planted})
    Path("truth.bed").write_text("".join(f"{chromosome}\t{at - 1}\t{at}\n" for chromosome, at in places))
    bams = [f"results/bam/{sample}.bam" for sample in samples]
    found = {}
    for line in run("samtools", "depth", "-a", "-b", "truth.bed", *bams).splitlines():
        chromosome, position, *counts = line.split("\t")
        found |= {(sample, chromosome, position): int(count) for sample, count in zip(samples, counts, strict=True)}
    return found


def main() -> int:
    """Print a table, and tell whether everything is as good as it has to be."""
    joint = sorted(Path("results/cohort").glob("*.vcf.gz"))
    samples = run("bcftools", "query", "-l", joint[0]).split()
    planted = {place: copies for place, (copies, _) in genotypes(Path("truth.vcf")).items() if place[0] in samples}
    called = {place: found for path in joint for place, found in genotypes(path).items()}
    deep = depths(samples, set(planted))

    covered = {place for place in planted if deep[place[:3]] >= DEPTH}
    sure = {place for place, (_, depth) in called.items() if depth is not None and depth >= DEPTH}
    both = covered & called.keys()
    shares = {
        "covered": (len(covered), len(planted)),
        "recall": (len(both), len(covered)),
        "precision": (len(sure & planted.keys()), len(sure)),
        "genotypes": (sum(called[place][0] == planted[place] for place in both), len(both)),
    }
    print(f"samples\t{' '.join(samples)}")
    for name, (part, whole) in shares.items():
        print(f"{name}\t{part:,} of {whole:,}\t{part / whole:.4f}")
    return int(any(part < AT_LEAST[name] * whole for name, (part, whole) in shares.items()))


if __name__ == "__main__":
    sys.exit(main())
