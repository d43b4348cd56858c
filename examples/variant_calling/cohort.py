"""Make a small genome and the reads of a cohort, with variants that are known, always the same.

python3 cohort.py        writes reference/genome.fa, reads/, samples.csv and truth.vcf into the current folder

Three chromosomes of 200,000 bases, eight samples. About every 400 bases of a chromosome there is a variant: nine of ten
are single bases, the others short insertions and deletions. Each sample has each of them on none, one or both of its
copies. `samples.csv` lists all samples but the last, which arrives late.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

SEED = 20
CHROMOSOMES = ("chr1", "chr2", "chr3")
LENGTH = 200_000
SAMPLES = tuple(f"S{number}" for number in range(1, 9))
DEPTH = 30
READ, FRAGMENT, FRAGMENT_SD = 150, 350, 40
ERRORS = 0.002  # of the bases that are read
EDGE = 1_000  # of a chromosome: fewer reads reach it, so nothing is planted there
GAP = (100, 700)  # bases from one variant to the next
INDELS = 0.1  # of the variants
COMPLEMENT = str.maketrans("ACGT", "TGCA")


class Variant(NamedTuple):
    """`ref` at `position` (from 0) becomes `alt`; `copies` has, for each sample, which of its two copies carry it."""

    chromosome: str
    position: int
    ref: str
    alt: str
    copies: tuple[tuple[bool, bool], ...]


def genome() -> dict[str, str]:
    """Make the reference: random bases, 41 % of them G or C, as in man."""
    dice = random.Random(SEED)
    return {name: "".join(dice.choices("ACGT", (59, 41, 41, 59), k=LENGTH)) for name in CHROMOSOMES}


def plant(reference: dict[str, str]) -> list[Variant]:
    """Choose variants, and who has them; each is carried by at least one sample."""
    dice = random.Random(SEED + 1)
    variants = []
    for chromosome, bases in reference.items():
        position = EDGE
        while position < LENGTH - EDGE:
            ref, alt = _change(bases, position, dice)
            frequency = dice.choice((0.1, 0.3, 0.5, 0.8))
            copies = [(dice.random() < frequency, dice.random() < frequency) for _ in SAMPLES]
            if any(map(any, copies)):
                variants.append(Variant(chromosome, position, ref, alt, tuple(copies)))
            position += dice.randint(*GAP)
    return variants


def _change(bases: str, position: int, dice: random.Random) -> tuple[str, str]:
    """Change one base, or insert or delete up to eight behind it, as VCF writes it."""
    base = bases[position]
    if dice.random() >= INDELS:
        return base, dice.choice([each for each in "ACGT" if each != base])
    length = dice.randint(1, 8)
    if dice.random() < 0.5:  # noqa: PLR2004 - as often the one as the other
        return bases[position : position + 1 + length], base
    return base, base + "".join(dice.choices("ACGT", k=length))


def sequence(sample: int, reference: dict[str, str], variants: list[Variant]) -> None:
    """Read both copies of a sample's chromosomes in pairs from random fragments, with errors."""
    dice = random.Random(SEED + 2 + sample)
    copies = [_copy(bases, name, variants, sample, which) for name, bases in reference.items() for which in (0, 1)]
    pairs = [pair for bases in copies for pair in _pairs(bases, dice)]
    dice.shuffle(pairs)
    for mate in (0, 1):
        path = Path("reads", f"{SAMPLES[sample]}_{mate + 1}.fastq.gz")
        with path.open("wb") as file, gzip.GzipFile("", "wb", 1, file, mtime=0) as packed:
            quality = "F" * READ
            text = (f"@{SAMPLES[sample]}:{at}\n{pair[mate]}\n+\n{quality}\n" for at, pair in enumerate(pairs))
            packed.write("".join(text).encode())


def _copy(bases: str, name: str, variants: list[Variant], sample: int, which: int) -> str:
    """Write the variants that one copy carries into the reference."""
    parts, end = [], 0
    for each in variants:
        if each.chromosome == name and each.copies[sample][which]:
            parts += [bases[end : each.position], each.alt]
            end = each.position + len(each.ref)
    return "".join([*parts, bases[end:]])


def _pairs(bases: str, dice: random.Random) -> Iterator[tuple[str, str]]:
    for _ in range(DEPTH * len(bases) // (2 * 2 * READ)):  # half of the depth comes from each copy
        length = max(READ, round(dice.gauss(FRAGMENT, FRAGMENT_SD)))
        start = dice.randrange(len(bases) - length)
        fragment = bases[start : start + length]
        reverse = fragment[-READ:].translate(COMPLEMENT)[::-1]
        ends = (_misread(fragment[:READ], dice), _misread(reverse, dice))
        yield ends if dice.getrandbits(1) else ends[::-1]


def _misread(read: str, dice: random.Random) -> str:
    while dice.random() < ERRORS * READ:
        at = dice.randrange(READ)
        read = read[:at] + dice.choice("ACGT") + read[at + 1 :]
    return read


def write(reference: dict[str, str], variants: list[Variant]) -> None:
    """Write the genome, the samplesheet and the truth."""
    for folder in ("reference", "reads"):
        Path(folder).mkdir(exist_ok=True)
    fasta = "".join(f">{name}\n{bases}\n" for name, bases in reference.items())
    Path("reference/genome.fa").write_text(fasta)
    rows = [f"{name},reads/{name}_1.fastq.gz,reads/{name}_2.fastq.gz\n" for name in SAMPLES[:-1]]
    Path("samples.csv").write_text("sample,fastq_1,fastq_2\n" + "".join(rows))
    header = [
        "##fileformat=VCFv4.2",
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        *(f"##contig=<ID={name},length={LENGTH}>" for name in reference),
        "\t".join(("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *SAMPLES)),
    ]
    lines = [
        "\t".join((each.chromosome, str(each.position + 1), ".", each.ref, each.alt, ".", ".", ".", "GT", *genotypes))
        for each in variants
        for genotypes in [[("0/0", "0/1", "1/1")[sum(copies)] for copies in each.copies]]
    ]
    Path("truth.vcf").write_text("\n".join([*header, *lines, ""]))


def main() -> None:
    """Make everything; the samples at the same time."""
    reference = genome()
    variants = plant(reference)
    write(reference, variants)
    with ProcessPoolExecutor() as pool:
        list(pool.map(sequence, range(len(SAMPLES)), [reference] * len(SAMPLES), [variants] * len(SAMPLES)))
    print(f"{len(SAMPLES)} samples, {len(CHROMOSOMES)} chromosomes, {len(variants)} variants")


if __name__ == "__main__":
    main()
