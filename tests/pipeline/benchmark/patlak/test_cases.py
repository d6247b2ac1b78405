"""A case is what the verb makes of the same frames from files; the truth is that of no noise."""

import numpy as np
import pytest

from betaplus.io.derivatives import write_blood
from betaplus.patlak.fitting import fit_study
from betaplus.patlak.options import method_settings
from betaplus.pipeline.benchmark.patlak.cases import Subject, make_case, pet_image
from betaplus.pipeline.patlak import PatlakRequest, run_patlak
from betaplus.simulation.dataset import write_pet
from betaplus.simulation.dynamic_study.study import FIRST_TEST, FIRST_TUNING, study_of


def maps_of(case, method="wls"):
    return fit_study(
        case.study, method=method, settings=method_settings(method, None, None), prior=None
    ).maps


@pytest.mark.parametrize("method", ["wls", "ls"])
def test_it_is_what_the_verb_makes_of_files(simulated, tmp_path, method):
    frames = simulated.frames(0.1, 3)
    pet, blood = tmp_path / "sub-01_pet.nii.gz", tmp_path / "blood.tsv"
    write_pet(pet, pet_image(simulated, frames))
    write_blood(blood, simulated.blood)
    request = PatlakRequest(
        source=pet, out=tmp_path / "out", blood=(str(blood),), method=method,
        t_star=str(simulated.protocol.t_star), workers=1,
    )  # fmt: skip
    run = run_patlak(request)
    case = make_case(simulated, 0.1, 3, weighted=method == "wls")
    for name, values in maps_of(case, method).items():
        found = run.fit.maps[name]
        assert np.abs(values - found).max() <= 1e-4 * np.abs(found).max()
    assert case.study.suv == pytest.approx(simulated.per_suv, rel=1e-6)
    assert run.fit.study.suv == pytest.approx(case.study.suv, rel=1e-6)
    assert np.array_equal(case.problem.mask.numpy(), run.fit.study.problem.mask.numpy())


def test_without_noise_least_squares_are_the_truth(simulated):
    case = make_case(simulated, frames=simulated.clean, weighted=False)
    u = case.problem.least_squares().numpy()
    top = np.abs(case.truth).max()
    assert np.abs(u - case.truth)[:, case.body].max() < 2e-3 * top
    # u_1 + u_2 is the last frame.
    last = simulated.clean[..., -1]
    assert np.abs(case.truth.sum(0) - last)[case.body].max() < 0.1 * last.max()


def test_a_draw_is_one_noise_at_any_dose_and_draws_differ(simulated):
    full, tenth, other = (
        make_case(simulated, dose, draw).problem.least_squares().numpy()
        for dose, draw in ((1.0, 0), (0.1, 0), (0.1, 1))
    )
    truth, body = make_case(simulated, 1.0, 0).truth, simulated.body
    one, ten, more = ((u - truth)[0][body] for u in (full, tenth, other))
    assert np.corrcoef(one, ten)[0, 1] > 0.9
    assert abs(np.corrcoef(ten, more)[0, 1]) < 0.3
    assert 2.2 < ten.std() / one.std() < 4.5  # the root of 10 is 3.2


def test_slices_of_passes_have_times_of_their_own(simulated):
    person, low = simulated.person, list(simulated.tissue.low)
    study = study_of(person, _passes(), [a + 4 for a in low], (20, 20, 20), lesions=1)
    case = make_case(study, frames=study.clean, weighted=False)
    assert len(np.unique(study.beds)) > 1
    u = case.problem.least_squares().numpy()
    assert np.abs(u - case.truth)[:, case.body].max() < 2e-3 * np.abs(case.truth).max()


def test_tuning_people_are_not_those_who_are_judged():
    for anatomy, kind in (("body", "body"), ("head", "brain")):
        tuning = Subject(anatomy=anatomy, number=0, tuning=True)
        assert tuning.seed == FIRST_TUNING[kind]
        assert Subject(anatomy=anatomy, number=1).seed == FIRST_TEST[kind] + 1
        assert tuning.name == f"tune-{anatomy}0"


def _passes():
    from betaplus.simulation.dynamic_study.protocol import PASSES

    return PASSES
