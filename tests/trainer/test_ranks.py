"""Ranks exchange gradients, losses and decisions; without ranks, nothing happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import distributed, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.utils.data import TensorDataset

from trainer import ranks
from trainer.config_file import read_config
from trainer.errors import ConfigError
from trainer.loading.loaders import make_loader
from trainer.rank_processes import run_ranks
from trainer.settings import read_settings
from trainer.trainer import ModularTaskTrainer

if TYPE_CHECKING:
    from run_files import MakeRun


def in_two_ranks(check: object) -> None:
    """Call a function in two ranks, where it must not fail."""

    def train(_tell: object) -> int:
        torch.set_num_threads(1)  # this process has used others, which a fork does not have
        check()  # type: ignore[operator]  # a function without arguments
        return 0

    assert run_ranks(2, "cpu", train) == 0


def test_process_without_ranks_is_the_first_of_one() -> None:
    assert (ranks.own_rank(), ranks.count_ranks()) == (0, 1)
    assert ranks.agree("alone") == "alone"
    assert not ranks.is_any(0)
    assert ranks.first_told("alone") == "alone"
    ranks.wait_for_all()
    ranks.check_alike(lambda: pytest.fail("it computed a digest"), 1)
    before = torch.get_rng_state()
    with ranks.own_random_numbers(0, 1, nn.BatchNorm1d(2)):
        pass
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_and_losses_are_averaged() -> None:
    """A parameter that one rank does not use has zero there; one that none uses has no gradient."""

    def check() -> None:
        rank = distributed.get_rank()
        used, partly, unused = (nn.Parameter(torch.ones(2)) for _ in range(3))
        used.grad = torch.tensor([1.0, 2.0]) * (rank + 1)
        partly.grad = torch.tensor([4.0, 6.0]) if rank else None
        loss = ranks.average([used, partly, unused], torch.tensor(float(rank)))
        assert loss.item() == 0.5
        assert used.grad.tolist() == [1.5, 3.0]
        assert partly.grad is not None
        assert partly.grad.tolist() == [2.0, 3.0]
        assert unused.grad is None

    in_two_ranks(check)


def test_sparse_gradients_are_refused() -> None:
    def check() -> None:
        table = nn.Embedding(3, 2, sparse=True)
        table(torch.tensor([1])).sum().backward()
        with pytest.raises(ConfigError, match="sparse gradients, which ranks cannot exchange"):
            ranks.average([*table.parameters()], torch.tensor(0.0))

    in_two_ranks(check)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": {"_target_": "streaming.Streams"}}, "^world_size: train is a Stream, a stream"),
        (
            {"curriculum": {"_target_": "idle_modules.OwnUpdate"}},
            "^world_size: it has no effect on an update that cb_on_update makes",
        ),
    ],
)
def test_what_ranks_cannot_do_is_refused(
    make_run: MakeRun, changes: dict[str, Any], said: str
) -> None:
    run_dir = make_run(world_size=2, **changes)

    def check() -> None:
        with pytest.raises(ConfigError, match=said):
            ModularTaskTrainer(read_config(run_dir / "config.yaml"), run_dir)

    in_two_ranks(check)


def test_each_rank_evaluates_all_samples() -> None:
    samples = TensorDataset(torch.arange(20)[:, None], torch.zeros(20))
    settings = read_settings({"seed": 1, "iterations": 1, "batch_size": 5})

    def check() -> None:
        assert len(make_loader(samples, "test", settings)) == 4
        assert len(make_loader(samples, "train", settings)) == 2

    in_two_ranks(check)


def test_ranks_decide_together() -> None:
    def check() -> None:
        rank = distributed.get_rank()
        assert ranks.agree({"rank": rank}) == {"rank": 0}
        assert ranks.is_any(rank == 1)
        assert not ranks.is_any(flag=False)
        assert ranks.first_told("late" if rank else None) == "late"
        assert ranks.first_told(f"from {rank}") == "from 0"
        assert ranks.first_told(None) is None
        ranks.check_alike(lambda: "same", 3)
        with pytest.raises(ConfigError, match="different states after iteration 3"):
            ranks.check_alike(lambda: str(rank), 3)

    in_two_ranks(check)


class OwnLazy(LazyModuleMixin, nn.Module):  # type: ignore[misc]  # PyTorch's layers are made so, too
    """A layer that begins with ones, of the shape of its first input."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.UninitializedParameter()


def test_lazy_layers_that_draw_weights_are_refused() -> None:
    """Each rank would begin with its own."""
    ranks.check_lazy({"model": nn.LazyLinear(2)})

    def check() -> None:
        ranks.check_lazy({"model": nn.Sequential(nn.Linear(1, 2), nn.LazyBatchNorm1d())})
        ranks.check_lazy({"model": OwnLazy(), "curriculum": object()})
        for role in ("model", "criterion"):
            with pytest.raises(ConfigError, match=rf"weights for {role}\.1\.weight, which has no"):
                ranks.check_lazy({role: nn.Sequential(nn.Linear(1, 2), nn.LazyLinear(2))})

    in_two_ranks(check)


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_random_numbers_differ_in_the_steps_and_agree_afterwards() -> None:
    """The buffers of the model are those of the first rank then."""

    def check() -> None:
        model = nn.BatchNorm1d(1)
        mine = torch.full((2, 3), 1.0 + distributed.get_rank())
        for dtype in (torch.bool, torch.uint16, torch.complex64, torch.float8_e4m3fn):
            model.register_buffer(f"of_{dtype}".replace(".", "_"), mine.to(dtype).T)
        model.register_buffer("empty", torch.ones(0))
        model.register_buffer("conjugate", torch.complex(mine, mine).conj())
        model.register_buffer("negative", torch.complex(mine, mine).conj().imag)
        model.register_buffer("expanded", mine[:, :1].expand(4, 2, 3))
        model.register_buffer("expanded_number", mine[0, 0].expand(3))
        for number, layout in enumerate((torch.sparse_coo, torch.sparse_csr)):
            sparse = torch.triu(mine, distributed.get_rank()).to_sparse(layout=layout)
            model.register_buffer(f"sparse{number}", sparse)
        torch.manual_seed(0)
        with ranks.own_random_numbers(0, 1, model):
            drawn = torch.rand(1).item()
            model(torch.full((4, 1), drawn))
        assert ranks.is_any(ranks.agree(drawn) != drawn)
        afterwards = torch.rand(1).item()
        assert ranks.agree(afterwards) == afterwards
        buffers = [each.to_dense().tolist() for each in model.buffers()]
        assert model.negative.tolist() == [[-1] * 3] * 2
        assert model.sparse1.to_dense().tolist() == [[1, 1, 1], [0, 1, 1]]
        assert model.of_torch_complex64.tolist() == [[1, 1]] * 3
        assert ranks.agree(buffers) == buffers

    in_two_ranks(check)
