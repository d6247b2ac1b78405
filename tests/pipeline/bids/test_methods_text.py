"""The methods text: every method that has a paper cites it, and ways are told apart."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from betaplus.pipeline.bids.citations import ALWAYS, MODELS, OF, REFERENCES
from betaplus.pipeline.bids.methods_text import methods_text
from betaplus.pipeline.bids.records import ScanRecord

REGISTRIES = {
    "kinetics": "betaplus.kinetics.method",
    "patlak": "betaplus.patlak.method",
    "denoise": "betaplus.denoising.method",
    "separate": "betaplus.separation.method",
    "reconstruct": "betaplus.reconstruction.method",
}


def record(stem: str, **fields: Any) -> ScanRecord:
    versions = {"betaplus": "0.1.0", "numpy": "2.0"}
    return ScanRecord(stem, Path(stem), {"versions": versions, "seed": 0, **fields})


def kinetics(stem: str, method: str, model: str = "2TCM", **fields: Any) -> ScanRecord:
    settings = {"model": model, "method": method, "prior": "default", "noise": "auto",
                "weights": "model", "method_settings": {"starts": 3}}  # fmt: skip
    return record(stem, settings=settings, **fields)


def test_all_that_is_cited_is_there_and_is_of_a_method() -> None:
    for keys in (ALWAYS, *MODELS.values(), *OF.values()):
        assert set(keys) <= set(REFERENCES)
    used = {key for keys in (ALWAYS, *MODELS.values(), *OF.values()) for key in keys}
    assert used == set(REFERENCES)
    for verb, method in OF:
        registry = importlib.import_module(REGISTRIES[verb])
        assert method in {*registry.METHODS, *getattr(registry, "SCORE_METHODS", ())}


IDENTIFIER = re.compile(r"(doi:10\.\d{4,5}/[-._;()/:A-Za-z0-9]*[A-Za-z0-9]|arXiv:\d{4}\.\d{4,5})")


def test_identifiers_have_the_form_of_identifiers_and_stand_once_at_the_end() -> None:
    found = []
    for key, text in REFERENCES.items():
        named = re.findall(r"(?i)\b(?:doi|arxiv)\b", text)
        assert len(named) <= 1, key
        if named:
            match = IDENTIFIER.search(text)
            assert match is not None and match.end() == len(text), key
            found.append(match[0].lower())
        else:
            assert text.endswith("."), key
        assert not re.search(r"\s\s|https?:", text), key
    assert len(found) > 30 and len(set(found)) == len(found)


def test_what_pages_cite_is_known() -> None:
    """Keys that reports ask for, and identifiers in the pages of the documentation."""
    from betaplus.report.demo.page import _USED

    for verb, method, model in _USED:
        assert (verb, method) in OF and (not model or model in MODELS)
    docs = Path(__file__).resolve().parents[3] / "docs"
    for page in docs.glob("*.md"):
        for link in re.findall(r"https://(?:doi\.org|arxiv\.org)/[^)\s>]*", page.read_text()):
            form = r"https://(doi\.org/10\.\d{4,5}/\S*\w|arxiv\.org/abs/\d{4}\.\d{4,5})"
            assert re.fullmatch(form, link), (page.name, link)


def test_scans_and_participants_are_counted() -> None:
    records = [kinetics(f"sub-0{i}_ses-{s}", "nlls", delay=0.0) for i in (1, 2) for s in "ab"]
    text = methods_text("kinetics", records)
    assert "4 PET scans of 2 participants" in text and "starts 3" in text
    assert "2001, 21:635-652" in text and "The delay between blood and tissue was 0 s." in text


def test_two_ways_are_two_paragraphs_that_name_their_scans() -> None:
    records = [kinetics("sub-01", "nlls"), kinetics("sub-02", "logan", "Logan", delay=-3.5)]
    text = methods_text("kinetics", records)
    assert "1 PET scan of 1 participant (sub-01)" in text
    assert "1 PET scan of 1 participant (sub-02)" in text
    assert text.count("All of it with betaplus") == 2 and "1990, 10:740-747" in text
    assert "was -3.5 s" in text and "fitted for each curve" in text


def test_a_reference_region_is_said() -> None:
    text = methods_text("kinetics", [kinetics("sub-01", "nlls", "SRTM", reference="cerebellum")])
    assert "the reference region cerebellum" in text and "input function" not in text
    assert "NeuroImage 1996" in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"blood": ["sub-01_blood.tsv"]}, "from blood samples"),
        ({"blood": ["aorta.nii.gz"]}, "derived from the image"),
        ({"blood": ["all.tsv"], "command": "x --blood population:all.tsv"}, "of a population"),
        ({"blood": ["b.tsv"], "input": "sub-01_tacs.tsv"}, "Region curves of 1 PET scan"),
    ],
)
def test_the_input_is_said(fields: dict[str, Any], said: str) -> None:
    assert said in methods_text("kinetics", [kinetics("sub-01", "nlls", **fields)])


@pytest.mark.parametrize(
    ("verb", "fields", "said"),
    [
        ("patlak", {"method": "hqs", "settings": {"steps": 4}, "t_star_s": 1200.0,
                    "prior": {"bundle": "prior-body"}}, "network `prior-body`"),
        ("denoise", {"method": "mmse", "settings": {}, "network": {"bundle": "denoiser-b"}},
         "network `denoiser-b`"),
        ("separate", {"method": "linear", "settings": {}, "delay_s": 1200.0,
                      "tracers": [{"name": "FMZ"}, {"name": "FDG"}]}, "FMZ and FDG"),
        ("reconstruct", {"method": "osem", "settings": {"subsets": 6}, "psf": 4.5,
                         "scanner": {"name": "mMR"}}, "resolution model of 4.5 mm"),
    ],
)  # fmt: skip
def test_each_verb_says_what_it_did(verb: str, fields: dict[str, Any], said: str) -> None:
    text = methods_text(verb, [record("sub-01", **fields)])
    assert said in text and f"`{fields['method']}`" in text and "## References" in text
