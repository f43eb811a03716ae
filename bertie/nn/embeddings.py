"""Token ids to vectors: words, positions and segments, added and normalised.

In:  token ids, segment ids
Out: (B, T, D), what the first block reads
Knows nothing of attention, heads or files.
"""

# B batch, T tokens, E width of the tables, D width of the states

from __future__ import annotations

from torch import Tensor, nn

from bertie.core.errors import ModelError
from bertie.nn.config import EncoderConfig
from bertie.nn.dropout import Dropout


class Embeddings(nn.Module):
    """Sum of the tables, layer norm, dropout, and a projection where the tables are narrower than the states."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.embedding_width
        self.offset = config.position_offset
        self.pad_id = config.pad_id
        self.max_length = config.max_length
        self.word_embeddings = nn.Embedding(config.vocab_size, width, padding_idx=config.pad_id)
        pad_position = config.pad_id if config.position_offset else None
        self.position_embeddings = (
            nn.Embedding(config.max_positions, width, padding_idx=pad_position)
            if config.positions == "absolute"
            else None
        )
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width) if config.type_vocab_size else None
        self.task_type_embeddings = (
            nn.Embedding(config.task_type_vocab_size, width) if config.task_type_vocab_size else None
        )
        self.norm = nn.LayerNorm(width, config.norm_eps, bias=config.norm_bias)
        dropout = config.dropout if config.embedding_dropout is None else config.embedding_dropout
        self.dropout = Dropout(dropout)
        self.projection = nn.Linear(width, config.hidden_size) if config.embedding_size is not None else None

    def forward(self, input_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Look the tokens up.

        Args:
            input_ids: (B, T) long.
            token_type_ids: (B, T) long, or None for segment 0 throughout; ignored by a model that tells no segments
                apart.

        Returns:
            (B, T, D).

        Raises:
            ModelError: the text is longer than the model has positions.
        """
        self._check_length(input_ids.shape[1])
        summed = self.word_embeddings(input_ids)  # (B, T, E)
        if self.token_type_embeddings is not None:
            # One row for all is a broadcast, no look-up. RoBERTa has one, whatever a tokenizer says of a second text.
            table = self.token_type_embeddings
            alike = token_type_ids is None or table.num_embeddings == 1
            summed = summed + (table.weight[0] if alike else table(token_type_ids))
        if self.position_embeddings is not None:
            summed = summed + self._positions(self.position_embeddings, input_ids)
        if self.task_type_embeddings is not None:
            summed = summed + self.task_type_embeddings.weight[0]
        states: Tensor = self.dropout(self.norm(summed))  # (B, T, E)
        return states if self.projection is None else self.projection(states)  # (B, T, D)

    def _positions(self, table: nn.Embedding, input_ids: Tensor) -> Tensor:
        if self.offset == 0:
            return table.weight[: input_ids.shape[1]]  # (T, E)
        # RoBERTa counts from pad_id + 1 and only what is not padding: left padding shifts nothing.
        real = (input_ids != self.pad_id).long()  # (B, T)
        rows: Tensor = table(real.cumsum(dim=1) * real + self.pad_id)  # (B, T, E)
        return rows

    def _check_length(self, length: int) -> None:
        if length > self.max_length and self.position_embeddings is not None:
            raise ModelError(
                f"a text of {length} tokens came to an encoder with {self.max_length} positions; "
                f"cut it to {self.max_length} tokens or split it into windows"
            )
