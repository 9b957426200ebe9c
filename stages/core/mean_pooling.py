"""An encoder with a mean-pooling classification head: how sentence encoders were trained to be read.

Pooling as in Reimers and Gurevych (2019), Sentence-BERT: the mean of the last hidden states over the real tokens.
"""

from typing import Any

from torch import Tensor, nn
from transformers import BertConfig, BertModel, BertPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class MeanPooledBertConfig(BertConfig):
    """BERT's configuration under a name of its own, so that the Auto classes find the mean-pooling head."""

    model_type = "bert-mean-pooled"


class MeanPooledBertForSequenceClassification(BertPreTrainedModel):
    """BERT, mean pooling, dropout, one linear layer. Loads any BERT checkpoint; only the head is new."""

    config_class = MeanPooledBertConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.bert = BertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(config.classifier_dropout or 0.0)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """`input_ids`, `attention_mask`: (batch, tokens). Gives logits (batch, labels); the loss, given labels."""
        hidden = self.bert(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            inputs_embeds=inputs_embeds,
        ).last_hidden_state
        logits = self.classifier(self.dropout(mean_over_tokens(hidden, attention_mask)))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


def mean_over_tokens(hidden: Tensor, attention_mask: Tensor | None) -> Tensor:
    """(batch, tokens, width) → (batch, width): padding counts for nothing."""
    if attention_mask is None:
        return hidden.mean(1)
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)


def register() -> None:
    """Makes `AutoConfig`, `AutoModelForSequenceClassification` and `pipeline` know the class; again does no harm."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    AutoConfig.register(MeanPooledBertConfig.model_type, MeanPooledBertConfig, exist_ok=True)
    AutoModelForSequenceClassification.register(
        MeanPooledBertConfig, MeanPooledBertForSequenceClassification, exist_ok=True
    )
