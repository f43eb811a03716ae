"""From states to a score for every piece of the vocabulary: what masked and causal language models end with.

In:  states (N, D), the table of word vectors (V, E)
Out: logits (N, V)
Knows nothing of encoders, of which positions are asked for, or of losses.
"""

# N positions, D width of the states, E width of the word vectors, V pieces of the vocabulary

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bertie.nn.config import EncoderConfig
from bertie.nn.layers import ACTIVATIONS


class LanguageHead(nn.Module):
    """A dense layer, a non-linearity, a layer norm; then the word vectors themselves as output layer, with a bias.

    The output layer is tied to the embeddings (Press and Wolf 2017; Devlin et al. 2019, section A.2), which are handed
    in: the head holds no copy. The names of its weights are those of `LoadedEncoder.heads` behind `masked_lm.`.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.embedding_width
        self.dense = nn.Linear(config.hidden_size, width, bias=config.language_dense_bias)
        self.norm = nn.LayerNorm(width, config.norm_eps, bias=config.language_norm_bias)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.activation = ACTIVATIONS[config.language_activation or config.activation]
        nn.init.normal_(self.dense.weight, std=config.initializer_range)
        if config.language_dense_bias:
            nn.init.zeros_(self.dense.bias)

    @torch.no_grad()
    def start_from_shares(self, log_shares: Tensor) -> None:
        """Begins with how often each piece is written (V,), its logarithm: by small steps a bias takes thousands."""
        self.bias.copy_(log_shares - log_shares.mean())

    def forward(self, states: Tensor, word_vectors: Tensor) -> Tensor:
        """(N, D) and (V, E) to (N, V)."""
        return F.linear(self.norm(self.activation(self.dense(states))), word_vectors, self.bias)

    def of_pieces(self, states: Tensor, word_vectors: Tensor, pieces: Tensor) -> Tensor:
        """The same for some pieces (P,) alone, (N, P)."""
        hidden = self.norm(self.activation(self.dense(states)))  # (N, E)
        return F.linear(hidden, word_vectors[pieces], self.bias[pieces])
