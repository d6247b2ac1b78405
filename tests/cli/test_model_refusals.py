"""Reference regions, blood and models that do not go together: one line, exit code 2."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.cli.conftest import RunCli
from tests.cli.study import CHEAP, TRACER, Study, save_nifti, tree

from betaplus.core.frames import FrameTiming
from betaplus.core.tacs import TacTable
from betaplus.io.derivatives import write_tacs

Spoil = Callable[[Study], list[object]]
CASES: dict[str, tuple[Spoil, str]] = {}


def case(words: str) -> Callable[[Spoil], Spoil]:
    def register(spoil: Spoil) -> Spoil:
        CASES[spoil.__name__] = (spoil, words)
        return spoil

    return register


def with_blood(s: Study) -> list[object]:
    return [s.source, "--blood", s.blood]


@case("region 'Cerebellum' is not in the table; expected one of left, right, middle")
def reference_not_in_the_table(s: Study) -> list[object]:
    return [s.tacs, "--reference", "Cerebellum"]


@case("region 'Cerebellum' is not in labels.nii.gz; expected one of front, back")
def reference_not_among_labels(s: Study) -> list[object]:
    return [s.pet, "--reference", "Cerebellum", "--regions", s.labels]


@case("--reference Cerebellum without a label image; expected a mask")
def reference_by_name_without_labels(s: Study) -> list[object]:
    return [s.pet, "--reference", "Cerebellum"]


@case("--reference .*mask.nii.gz with a table of curves; expected a region")
def reference_mask_with_a_table(s: Study) -> list[object]:
    return [s.tacs, "--reference", s.mask]


@case("mask.nii.gz is 0 everywhere; expected voxels")
def empty_reference_mask(s: Study) -> list[object]:
    save_nifti(s.mask, np.zeros((8, 7, 5), dtype=np.uint8))
    return [s.pet, "--reference", s.mask]


@case("model 2TCM needs an input function, not a reference region; expected --blood FILE")
def plasma_model_with_a_reference(s: Study) -> list[object]:
    return [s.tacs, "--reference", "left", "--model", "2TCM"]


@case("no input function; expected --blood FILE or --reference REGION")
def neither_blood_nor_reference(s: Study) -> list[object]:
    return [s.tacs]


@case("method patlak does not serve model 2TCM; expected exact or nlls or nuts")
def method_of_another_model(s: Study) -> list[object]:
    return [*with_blood(s), "--model", "2TCM", "--method", "patlak"]


@case("sub-01_blood.tsv holds whole blood but no plasma; expected plasma.*plasma whole-blood")
def no_plasma(s: Study) -> list[object]:
    drop(s, "plasma_radioactivity", "metabolite_parent_fraction")
    s.edit_json(s.blood_json, PlasmaAvail=False, MetaboliteAvail=False)
    return with_blood(s)


@case("sub-01_blood.tsv holds total plasma and no parent fraction; expected parent plasma")
def total_plasma(s: Study) -> list[object]:
    drop(s, "metabolite_parent_fraction")
    s.edit_json(s.blood_json, MetaboliteAvail=False)
    s.edit_json(s.pet_json, TracerName="PBR28", TracerRadionuclide="C11", RadionuclideHalfLife=None)
    return with_blood(s)


@case("--plasma unmetabolised, but sub-01_blood.tsv holds a parent fraction")
def unmetabolised_with_a_parent_fraction(s: Study) -> list[object]:
    return [*with_blood(s), "--plasma", "unmetabolised"]


@case("dispersion 5 s for blood whose DispersionCorrected is true; expected a correction once")
def dispersion_twice(s: Study) -> list[object]:
    s.edit_json(s.blood_json, DispersionCorrected=True)
    return [*with_blood(s), "--dispersion", "5"]


@case("4 frames for the 5 free parameters of 2TCM; expected more frames than parameters")
def more_parameters_than_frames(s: Study) -> list[object]:
    frames = FrameTiming.from_durations([60.0, 300.0, 900.0, 1500.0])
    values = np.array([[1e3, 4e3, 5e3, 6e3]])
    table = TacTable(values=values, frames=frames, unit="Bq/mL", names=("left",), tracer=TRACER)
    write_tacs(s.tacs, table)
    return [s.tacs, "--blood", s.blood]


@case("t_star 3000 s leaves .* of 26 frames; expected at least")
def t_star_too_late(s: Study) -> list[object]:
    return [s.tacs, "--blood", s.blood, "--method", "logan", "--t-star", "3000"]


@case("--t-star with method exact; expected patlak, logan, mrtm2, suvr")
def t_star_without_a_line(s: Study) -> list[object]:
    return [*with_blood(s), "--t-star", "600"]


@case("--extraction with model 2TCM; expected model 1TCM")
def flow_of_two_tissues(s: Study) -> list[object]:
    return [*with_blood(s), "--extraction", "rubidium"]


@case("plasma glucose 95 mmol/L; expected 0.5 to 50; divide mg/dL by 18.016")
def glucose_in_other_units(s: Study) -> list[object]:
    return [*with_blood(s), "--glucose", "95", "--lumped-constant", "0.65"]


@case("CMRglc without lumped constant")
def glucose_alone(s: Study) -> list[object]:
    return [*with_blood(s), "--glucose", "5"]


@case("sub-01_blood.tsv is in Bq/mL; expected SUV")
def population_curve_in_becquerels(s: Study) -> list[object]:
    blood = f"population:{s.blood}"
    return [s.pet, "--blood", blood, "--injected-activity", "185", "--weight", "70"]


@case("--weight without a population's curve")
def weight_of_nobody(s: Study) -> list[object]:
    return [*with_blood(s), "--weight", "70"]


def drop(s: Study, *names: str) -> None:
    lines = [line.split("\t") for line in s.blood.read_text().splitlines()]
    kept = [i for i, name in enumerate(lines[0]) if name not in names]
    s.blood.write_text("\n".join("\t".join(row[i] for i in kept) for row in lines) + "\n")


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_go_together_is_refused(name: str, study: Study, run_cli: RunCli) -> None:
    spoil, words = CASES[name]
    arguments = spoil(study)
    fast = [] if "--method" in arguments or "--reference" in arguments else CHEAP
    before = tree(study.folder.parent)
    code, out, err = run_cli("kinetics", *arguments, *fast, "-o", study.out, "--no-report")
    assert code == 2, err
    assert err.startswith("betaplus: error: ") and err.count("\n") == 1
    assert out == ""
    import re

    assert re.search(words, err), err
    assert tree(study.folder.parent) == before
