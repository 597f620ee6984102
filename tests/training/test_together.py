"""Several processes as one: gradients and figures are summed, words agreed on, lists joined."""

import os

import pytest

torch = pytest.importorskip("torch")

from transcribe_cli.training import together  # noqa: E402


def gradients(rows):
    """Gradients of a small network's summed loss on some rows."""
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    network(rows).square().sum().backward()
    return network


def work(rank, folder):
    """One of two processes, each with its half of the rows."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="29571")
    team = together.join()
    network = gradients(torch.arange(12.0).reshape(4, 3)[2 * rank : 2 * rank + 2])
    figures = together.sum_gradients(network, [1.0, float(rank)], team)
    said = together.agreed(f"from {rank}", team)
    joined = together.gathered([rank], team)
    torch.save([network.weight.grad, network.bias.grad, figures, said, joined], f"{folder}/{rank}.pt")
    together.leave(team)


def test_alone_nothing_is_exchanged():
    team = together.join()
    assert (team.rank, team.size, team.first) == (0, 1, True)
    network = gradients(torch.ones(1, 3))
    before = network.weight.grad.clone()
    assert together.sum_gradients(network, [2.0], team) == [2.0]
    assert torch.equal(network.weight.grad, before)
    assert together.agreed("word", team) == "word"
    assert together.gathered([1, 2], team) == [1, 2]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's notes on its own launcher
def test_two_processes_have_the_gradients_of_one_with_both_halves(tmp_path):
    torch.multiprocessing.spawn(work, (str(tmp_path),), nprocs=2)
    whole = gradients(torch.arange(12.0).reshape(4, 3))
    for rank in (0, 1):
        weight, bias, figures, said, joined = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(weight, whole.weight.grad)
        torch.testing.assert_close(bias, whole.bias.grad)
        assert figures == [2.0, 1.0]
        assert said == "from 0"
        assert joined == [0, 1]
