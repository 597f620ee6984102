"""Several processes training one network (torchrun): who am I, sum over all, take the first one's word.

Everything here is a no-op in a single process.
"""

import os
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as distributed
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Group:
    """This process's number and how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0


def join() -> Group:
    """Joins the group that torchrun's environment describes; alone without one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Group()
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Group(distributed.get_rank(), size)


def leave(group: Group) -> None:
    """Ends the group, so that no process hangs."""
    if group.size > 1 and distributed.is_initialized():
        distributed.destroy_process_group()


def summed(values: Tensor, group: Group) -> Tensor:
    """The sum over all processes, in place."""
    if group.size > 1:
        distributed.all_reduce(values)
    return values


def agreed(value: T, group: Group) -> T:
    """The first process's value, in all of them."""
    if group.size == 1:
        return value
    box = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def gathered(values: list[T], group: Group) -> list[T]:
    """All processes' lists end to end, in every process."""
    if group.size == 1:
        return values
    boxes: list[list[T]] = [[] for _ in range(group.size)]
    distributed.all_gather_object(boxes, values)
    return [value for box in boxes for value in box]


def sum_gradients(network: torch.nn.Module, extra: list[float], group: Group) -> list[float]:
    """Sums all gradients over the processes in one message, and some figures with them, which are returned."""
    parameters = [parameter for parameter in network.parameters() if parameter.grad is not None]
    if group.size == 1:
        return extra
    figures = torch.tensor(extra, dtype=torch.float32, device=parameters[0].device)
    flat = summed(torch.cat([p.grad.reshape(-1) for p in parameters if p.grad is not None] + [figures]), group)
    at = 0
    for parameter in parameters:
        assert parameter.grad is not None
        parameter.grad.copy_(flat[at : at + parameter.numel()].view_as(parameter))
        at += parameter.numel()
    return [float(value) for value in flat[at:]]
