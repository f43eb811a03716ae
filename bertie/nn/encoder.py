"""The encoder: token ids to one vector a token.

In:  token ids, attention mask, segment ids
Out: last states (B, T, D); on request all states, or all attention weights
Knows nothing of tasks, heads, families' names or files.
"""

# B batch, T tokens, D width, H heads

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bertie.nn.attention import Rotary, additive_mask, rotary_angles
from bertie.nn.config import EncoderConfig
from bertie.nn.dropout import Dropout
from bertie.nn.embeddings import Embeddings
from bertie.nn.layers import Block
from bertie.nn.sequence_parts import parts, too_many

Step = tuple[Block, Tensor | None, Rotary | None]


class Encoder(nn.Module):
    """A bidirectional transformer encoder (Devlin et al. 2019), in the arrangement that the config describes.

    `forward` is `encode(embeddings(...))`: what needs to get between the two (adversarial training, integrated
    gradients) calls the halves.

    `prompt` is a place for prompt tuning (Lester et al. 2021): a module that gives, for a batch size, vectors (B, P, D)
    that stand in front of the embedded text in every block. The states that leave have the text's positions alone.

    `checkpointing` keeps, of what a gradient needs, only what goes into each block, and computes the rest again on the
    way back with the same random numbers (Chen et al. 2016): the same gradients in less memory and more time.

    `forward` reads many texts in parts (`sequence_parts`) where no gradient is asked for.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Block(config, first=n == 0) for n in range(config.unique_layers or config.layers))
        pre_norm = config.norm == "pre"
        self.final_norm = nn.LayerNorm(config.hidden_size, config.norm_eps, bias=config.norm_bias) if pre_norm else None
        self.prompt: nn.Module | None = None
        self.checkpointing = False
        if not self.embeddings.word_embeddings.weight.is_meta:  # there, numbers take long to draw and are none
            self.apply(self._initialise)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        causal: bool = False,
    ) -> Tensor:
        """Encode a batch of texts.

        Args:
            input_ids: (B, T) long.
            attention_mask: (B, T), 1 for tokens, 0 for padding. None: nothing is padded, which is faster than ones.
            token_type_ids: (B, T) long, None for segment 0.
            causal: each token sees itself and those before it, as a model that predicts the next one must.

        Returns:
            Last hidden states (B, T, D).
        """
        if not too_many(self, input_ids):
            return self.encode(self.embeddings(input_ids, token_type_ids), attention_mask, causal=causal)
        whole: Tensor | None = None
        for part in parts(input_ids, attention_mask, token_type_ids):
            embedded = self.embeddings(part.input_ids, part.token_type_ids)
            states = self.encode(embedded, part.attention_mask, causal=causal)  # (b, t, D)
            if whole is None:
                whole = states.new_zeros(*input_ids.shape, states.shape[-1])
            whole[part.places, : states.shape[1]] = states
        assert whole is not None, "there are texts, so there is a part"
        return whole

    def encode(self, states: Tensor, attention_mask: Tensor | None = None, *, causal: bool = False) -> Tensor:
        """Embedded tokens (B, T, D), and a mask as in `forward`, to last hidden states (B, T, D)."""
        states, attention_mask, front = self._prompted(states, attention_mask)
        for block, mask, rotary in self._steps(states, attention_mask, causal):
            states = self._through(block, states, mask, rotary)
        return self._finish(states)[:, front:]

    def hidden_states(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> list[Tensor]:
        """The embeddings and the states after each block, layers + 1 times (B, T, D); the last is that of `forward`."""
        states, attention_mask, front = self._prompted(self.embeddings(input_ids, token_type_ids), attention_mask)
        collected = [states]
        for block, mask, rotary in self._steps(states, attention_mask):
            states = self._through(block, states, mask, rotary)
            collected.append(states)
        collected[-1] = self._finish(states)
        return [states[:, front:] for states in collected]

    def attentions(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> list[Tensor]:
        """Attention weights of each block, (B, H, T, P + T): row i says where token i looked, and sums to 1.

        P is the length of a prompt or prefix, 0 where there is none.
        """
        states, attention_mask, front = self._prompted(self.embeddings(input_ids, token_type_ids), attention_mask)
        collected = []
        for block, mask, rotary in self._steps(states, attention_mask):
            states, weights = block.with_weights(states, mask, rotary)
            collected.append(weights[:, :, front:])
        return collected

    def set_attention_dropout(self, rate: float) -> None:
        """Dropout on the attention weights while training, instead of the checkpoint's; the config stays as it is."""
        for block in self.layers:
            assert isinstance(block, Block)
            block.attention.dropout = rate

    def set_dropout(self, rate: float) -> None:
        """Dropout on states and embeddings while training, instead of the checkpoint's; the config stays as it is."""
        for module in self.modules():
            if isinstance(module, Dropout):
                module.rate = rate

    def _prompted(self, states: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, Tensor | None, int]:
        """Embedded tokens and their mask with the prompt in front of them, and its length."""
        if self.prompt is None:
            return states, attention_mask, 0
        prompt: Tensor = self.prompt(len(states)).to(states)  # (B, P, D)
        shown = None if attention_mask is None else attention_mask.new_ones(prompt.shape[:2])  # (B, P)
        mask = None if attention_mask is None or shown is None else torch.cat([shown, attention_mask], dim=1)
        return torch.cat([prompt, states], dim=1), mask, prompt.shape[1]

    def _steps(self, states: Tensor, attention_mask: Tensor | None, causal: bool = False) -> Iterator[Step]:
        """Each block in order, with the mask and the angles of its kind, which are made once for all blocks."""
        length, config = states.shape[1], self.config
        made: dict[bool, tuple[Tensor | None, Rotary | None]] = {}
        for n in range(config.layers):
            local = config.is_local(n)
            if local not in made:
                mask = additive_mask(
                    attention_mask, length, config.local_window if local else None, states, causal=causal
                )
                theta = config.rope_theta_local if local else config.rope_theta_global
                turns = config.positions == "rotary"
                made[local] = (mask, rotary_angles(length, config.head_size, theta, states) if turns else None)
            block = self.layers[config.block_of(n)]
            assert isinstance(block, Block)
            yield block, *made[local]

    def _through(self, block: Block, states: Tensor, mask: Tensor | None, rotary: Rotary | None) -> Tensor:
        if not (self.checkpointing and self.training and torch.is_grad_enabled()):
            came_out: Tensor = block(states, mask, rotary)
            return came_out
        again: Tensor = checkpoint(block, states, mask, rotary, use_reentrant=False)
        return again

    def _finish(self, states: Tensor) -> Tensor:
        return states if self.final_norm is None else self.final_norm(states)

    @torch.no_grad()
    def _initialise(self, module: nn.Module) -> None:
        """Random weights as in BERT: normal with a small deviation, biases and the pad row zero."""
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.normal_(0.0, self.config.initializer_range)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.zero_()
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            module.weight[module.padding_idx].zero_()
