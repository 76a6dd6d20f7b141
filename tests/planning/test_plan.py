"""Which jobs there are, what each does, and which results a figure reads of them."""

from fnmatch import fnmatchcase

import pytest

from layer_robustness.experiments import paths
from layer_robustness.experiments.sweeps import job_of
from layer_robustness.figures.registry import FIGURES
from layer_robustness.paper.claims.claims import CLAIMS
from layer_robustness.planning.beyond import own_networks
from layer_robustness.planning.plan import TARGETS, Plan
from layer_robustness.tables.registry import TABLES
from support.plans import NETWORKS, PRESETS, config_of, plan


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_trains_every_network_that_it_asks_for_once(preset):
    every = plan(preset, imagenet_path="x")
    trained = [network for job in every.jobs for network in job.networks]
    asked = config_of(preset)["networks"]
    every_network = {*NETWORKS, *own_networks(config_of(preset))}
    wanted = {n for n in every_network if any(fnmatchcase(job_of(n), p) for p in asked)}
    assert len(trained) == len(set(trained)) and set(trained) == wanted


def test_one_day_is_for_the_papers_recipes_without_imagenet():
    """Its networks are all that figures 1 to 3 show, and their recipes those of `paper`."""
    jobs = plan("oneday", imagenet_path="x").jobs
    assert {job.dataset for job in jobs} == {"mnist", "cifar10"}
    assert [job.recipe for job in jobs] == [plan("paper").job(job.name).recipe for job in jobs]
    shown = {network for n in (1, 2, 3) for network in FIGURES[f"figure{n}"].networks}
    assert shown <= {network for job in jobs for network in job.networks}


def test_the_papers_deep_networks_are_among_them():
    endings = ("", "+wd", "+bn", "+wd+bn")
    deep = {f"cifar10/resnet{depth}{e}" for depth in (18, 34, 50, 101, 152) for e in endings}
    deep |= {name.replace("cifar10", "imagenet") for name in deep}
    deep |= {f"cifar10/vgg{depth}{e}" for depth in (11, 13, 16, 19) for e in endings}
    assert deep <= set(map(str, NETWORKS))


@pytest.mark.parametrize("preset", PRESETS)
def test_jobs_have_all_that_figures_tables_and_claims_read(preset):
    of_preset = plan(preset)
    jobs = {network: job for job in of_preset.jobs for network in job.networks}
    for target in (*TARGETS.values(), *CLAIMS):
        needed = [need for need in target.needs if of_preset.runs(need[0])]
        files = {f"results/{preset}/{jobs[network].name}/{file}" for network, file in needed}
        assert set(of_preset.files(target)) == files
        for network, file in needed:
            assert file != paths.JOINT or jobs[network].groups
            assert file != paths.ADVERSARIAL or jobs[network].replaced


def test_a_sweep_is_a_job():
    sweep = plan("paper").job("cifar10/fcn_widths")
    assert (len(sweep.networks), sweep.seeds, sweep.source) == (12, 5, "cifar10")
    assert len(plan().job("mnist/fcn_widths").networks) == 10  # two widths are jobs of their own


def test_a_filter_keeps_its_jobs_and_leaves_others_out_of_figures():
    some = plan(networks=["cifar10/vgg*"])
    names = [job.name for job in some.jobs]
    assert len(names) == 16 and all(name.startswith("cifar10/vgg") for name in names)
    shown, partly = FIGURES["figure3"], TABLES["table3"]
    assert some.files(shown) == plan().files(shown) != []
    for found in (Plan.files, Plan.manifests):
        every = found(plan(), partly)
        assert found(some, partly) == [path for path in every if "cifar10/vgg" in path] != every
        assert found(some, FIGURES["figure1"]) == []


def test_jobs_reset_the_groups_that_figures_show():
    groups = {job.name: job.groups for job in plan().jobs if job.groups}
    assert groups["cifar10/resnet152"] == ["all_but_first", "every_second"]
    assert groups["cifar10/resnet50"] == [
        *("all_but_first", "all_but_first_stages_2_3", "every_second")
    ]
    deep = {f"cifar10/resnet{depth}" for depth in (18, 50, 101, 152)}
    assert set(groups) == {"mnist/fcn5x256", *deep}


def test_attacked_jobs_store_the_draws_of_table_2_or_of_the_probe_if_those_are_more():
    attacked = {job.name: (job.replaced, job.draws) for job in plan().jobs if job.replaced}
    assert attacked == {
        "cifar10/resnet4^2": ([0, 1, 2], 4),
        "cifar10/resnet4^4": ([0, 1, 2, 4], 4),
    }
    assert plan().job("cifar10/vgg16").draws == 1
    assert plan(probe={"draws": 7}).job("cifar10/resnet4^2").draws == 7
