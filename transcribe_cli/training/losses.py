"""What training makes small: the loss of CTC, distance from a teacher, disagreement of two views."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..alphabet import Alphabet
from ..errors import TrainingError
from . import cache, units
from .blocks import valid
from .network import frame_seconds
from .options import RunOptions


def ctc(
    criterion: nn.CTCLoss, log_probs: Tensor, rows: Tensor, entries: list[cache.Entry], speller: units.Speller
) -> tuple[Tensor, int]:
    """CTC losses (batch,) in nats, and the number of labels."""
    labels = [speller.encode(entry.text) for entry in entries]
    sizes = torch.tensor([len(one) for one in labels])
    flat = torch.tensor([i for one in labels for i in one], dtype=torch.long)
    losses: Tensor = criterion(log_probs.transpose(0, 1), flat, rows.cpu(), sizes)
    return losses, int(sizes.sum())


def disagreement(log_probs: Tensor, rows: Tensor) -> Tensor:
    """How far two views of the same utterances are apart, in nats: the first half of the batch and the second.

    Sum over rows of KL(other view ‖ this view), for both; the other view stands still as a teacher does.
    Source: Yao et al., CR-CTC: consistency regularization on CTC (arXiv 2410.05101).
    """
    one, other = log_probs.chunk(2)
    return divergence(torch.cat([other, one]).detach(), log_probs, rows)


def divergence(told: Tensor, log_probs: Tensor, rows: Tensor) -> Tensor:
    """Sum over the batch's rows of KL(told ‖ log_probs), in nats; what is behind an utterance's rows does not count."""
    each = (told.exp() * (told - log_probs)).sum(2)
    return (each * valid(rows, log_probs.shape[1])).sum()


class Teacher:
    """An exported bundle whose log-probabilities are learned: sum over rows of KL(teacher ‖ student).

    Raises TrainingError when its units, features or rows are not those of the model that is to learn from it.
    """

    def __init__(self, folder: Path, alphabet: Alphabet, options: RunOptions) -> None:
        from .bundling import load_bundle
        from .onnx_graph import session

        bundle = load_bundle(folder)
        step, wanted = bundle.output.frame_seconds, frame_seconds(options.network)
        if bundle.alphabet != alphabet:
            raise TrainingError(f"{folder}: the teacher writes other units than the model that is to learn from it")
        # it hears what the student does, with the noise that is left there, and samples in any rows
        ours = cache.recipe_of(options)
        theirs = replace(bundle.features, noise_db=ours.noise_db)
        if (replace(theirs, hop=ours.hop) if theirs.kind == "waveform" else theirs) != ours:
            raise TrainingError(f"{folder}: the teacher reads other features than {options.network.encoder} does")
        if abs(step - wanted) > 1e-6:
            raise TrainingError(
                f"{folder}: the teacher writes a row each {1000 * step:g} ms, the model that is to learn from it each "
                f"{1000 * wanted:g} ms: set network.merge, stack or rows so that they agree"
            )
        self._graph = session(folder / bundle.graph, threads=torch.get_num_threads())

    def loss(self, inputs: Tensor, lengths: Tensor, log_probs: Tensor, rows: Tensor) -> Tensor:
        """inputs (batch, bands, frames), or (batch, samples), as both networks take them."""
        from .onnx_graph import run_batch

        heard = run_batch(self._graph, inputs.contiguous().numpy(), lengths.numpy())
        told = torch.from_numpy(heard).to(log_probs.device)
        n = min(told.shape[1], log_probs.shape[1])
        return divergence(told[:, :n, : log_probs.shape[2]], log_probs[:, :n], rows.clamp(max=n))
