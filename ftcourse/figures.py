"""Figures that everybody can read: a colour-blind-safe palette, and a text alternative with every picture."""

import io

# Okabe and Ito's palette, told apart in the common forms of colour blindness (https://jfly.uni-koeln.de/color/).
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK)


def set_style():
    """Set seaborn's theme with the course's palette."""
    import seaborn as sns

    rc = {"figure.figsize": (7, 3.6), "figure.dpi": 100, "figure.constrained_layout.use": True}
    sns.set_theme(style="whitegrid", palette=list(PALETTE), rc=rc)


def show(figure, alt):
    """Show a matplotlib figure in a notebook with its text alternative.

    The text goes with the picture as its ``alt`` metadata, which the HTML export turns into the image's ``alt``
    attribute, and stands beneath it as a caption, because JupyterLab and code hosts drop the metadata.

    Args:
        figure: a matplotlib figure; it is closed afterwards, so that it is not shown twice.
        alt: one or two sentences that say what the figure shows, for a reader who cannot see it.

    Raises:
        ValueError: if `alt` is empty.
    """
    from IPython.display import Markdown, display

    data, metadata = _picture(figure, alt)
    display(data, raw=True, metadata=metadata)
    display(Markdown(f"*Figure: {alt}*"))


def _picture(figure, alt):
    """Return what a notebook displays for a figure, data and metadata, and close the figure."""
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise ValueError("A figure needs a text alternative: say in a sentence what it shows.")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    plt.close(figure)
    return {"image/png": buffer.getvalue(), "text/plain": alt}, {"image/png": {"alt": alt}}


def show_scores(scores, label="accuracy"):
    """Show shares between 0 and 1 as bars in per cent, one a method.

    Args:
        scores: dictionary from the name of a method to its share.
        label: what the shares are.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.5 * len(scores)))
    bars = axes.barh(list(scores), [100 * score for score in scores.values()], color=PALETTE[: len(scores)])
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set(xlabel=f"{label} (%)", xlim=(0, 100))
    axes.invert_yaxis()
    show(figure, f"Bars of {label}: " + ", ".join(f"{name} {score:.1%}" for name, score in scores.items()) + ".")


def show_images(images, titles, alt, columns=8):
    """Show images in rows, each with a title above it.

    Args:
        images: PIL images, or arrays of shape (height, width, 3) between 0 and 1.
        titles: one an image.
        alt: the text alternative, as `show` takes it.
        columns: images a row.
    """
    import matplotlib.pyplot as plt

    rows = -(-len(images) // columns)
    lines = max(title.count("\n") + 1 for title in titles)
    figure, all_axes = plt.subplots(rows, columns, figsize=(1.15 * columns, (1 + 0.18 * lines) * rows), squeeze=False)
    for axes in all_axes.flat:
        axes.axis("off")
    for axes, image, title in zip(all_axes.flat, images, titles):
        axes.imshow(image)
        axes.set_title(title if len(title) < 18 or "\n" in title else title[:16] + "…", fontsize=8, pad=2)
    show(figure, alt)


def show_confusion(matrix, labels):
    """Show a confusion matrix as a heat map with its numbers.

    Args:
        matrix: counts, shape (classes, classes); a row is a true class, a column an answer.
        labels: names of the classes, in order.
    """
    import matplotlib.pyplot as plt
    import numpy as np
    import seaborn as sns

    figure, axes = plt.subplots(figsize=(6.5, 5.5))
    sns.heatmap(matrix, annot=True, fmt="d", cmap="cividis", xticklabels=labels, yticklabels=labels, cbar=False, ax=axes)
    axes.set(xlabel="answer", ylabel="truth")
    right = np.diag(matrix) / np.maximum(matrix.sum(1), 1)
    mistakes = matrix - np.diag(np.diag(matrix))
    truth, answer = np.unravel_index(mistakes.argmax(), mistakes.shape)
    worst = f"The commonest mistake: {labels[truth]} taken for {labels[answer]}, {mistakes.max()} times."
    show(figure, f"Confusion matrix. Most often right: {labels[right.argmax()]}, {right.max():.0%}; least often: "
                 f"{labels[right.argmin()]}, {right.min():.0%}. {worst if mistakes.any() else 'No mistakes.'}")  # fmt: skip


def show_runs(frame, group, metric):
    """Show the runs of a study, a row a group: each run as a dot, and the mean as a line.

    Args:
        frame: DataFrame with one row a run.
        group: column that names the groups.
        metric: column with a share between 0 and 1.
    """
    import matplotlib.pyplot as plt

    means = frame.groupby(group)[metric].mean().sort_values()
    figure, axes = plt.subplots(figsize=(7, 0.7 + 0.45 * len(means)))
    for row, (name, mean) in enumerate(means.items()):
        values = 100 * frame.loc[frame[group] == name, metric]
        axes.plot(values, [row] * len(values), "o", color=BLUE, alpha=0.7)
        axes.plot([100 * mean] * 2, [row - 0.3, row + 0.3], color=VERMILION)
    axes.set_yticks(range(len(means)), means.index)
    axes.set(xlabel=f"{metric} (%): a dot a seed, the line their mean", ylim=(-0.6, len(means) - 0.4))
    show(figure, f"Mean {metric} over the seeds: " + ", ".join(f"{name} {mean:.1%}" for name, mean in means.items()) + ".")


def show_weights(names, weights, labels, count=10):
    """Show the strongest weights of a linear model on both sides.

    Args:
        names: names of the features, shape (features,).
        weights: their weights, shape (features,).
        labels: the two classes, that of the negative weights first.
        count: how many on each side.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    order = np.argsort(weights)
    chosen = [*order[:count], *order[-count:]]
    figure, axes = plt.subplots(figsize=(7, 0.22 * len(chosen)))
    axes.barh([names[i] for i in chosen], weights[chosen], color=[VERMILION if weights[i] < 0 else BLUE for i in chosen])
    axes.tick_params(labelsize=8)
    axes.set(xlabel=f"weight: negative says {labels[0]}, positive says {labels[1]}")
    low, high = (", ".join(names[i] for i in part) for part in (order[:5], order[:-6:-1]))
    show(figure, f"Strongest weights. For {labels[0]}: {low}. For {labels[1]}: {high}.")


def show_padding(lengths, batch_size):
    """Show one batch of sentences built in three ways, each row a sentence, dark where there is text.

    Args:
        lengths: number of tokens of each example.
        batch_size: examples a batch.

    Returns:
        A dictionary from the way to its share of real tokens over all batches.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    from .train import padding_efficiency

    shuffled = np.random.default_rng(0).permutation(lengths)
    ordered = np.sort(shuffled[: 50 * batch_size])[::-1]  # fifty batches are sorted at a time
    middle = len(ordered) // batch_size // 2 * batch_size
    ways = {
        "padded to 512": (shuffled[:batch_size], 512, dict(pad_to=512)),
        "padded to the batch": (shuffled[:batch_size], None, dict(group_by_length=False)),
        "similar lengths": (ordered[middle : middle + batch_size], None, {}),
    }
    figure, all_axes = plt.subplots(1, 3, figsize=(10, 3), width_ratios=[2, 1, 1])
    efficiency = {}
    for axes, (way, (rows, width, options)) in zip(all_axes, ways.items(), strict=True):
        efficiency[way] = padding_efficiency(lengths, batch_size, **options)
        axes.imshow(np.arange(width or rows.max()) < rows[:, None], aspect="auto", cmap="cividis_r", interpolation="none")
        axes.set(title=f"{way}\n{efficiency[way]:.0%} real tokens", xlabel="token", yticks=[])
        axes.grid(False)
    said = ", ".join(f"{way} {share:.0%}" for way, share in efficiency.items())
    show(figure, f"One batch of {batch_size} sentences built in three ways. Share of real tokens in all batches: {said}.")
    return efficiency


def show_history(log_history, metric="accuracy"):
    """Show the losses and a validation metric over the steps of a training run.

    Args:
        log_history: ``trainer.state.log_history``.
        metric: name of the metric, which the history has as ``eval_METRIC``.
    """
    import matplotlib.pyplot as plt

    training = [(row["step"], row["loss"]) for row in log_history if "loss" in row]
    checks = [(row["step"], row["eval_loss"], row[f"eval_{metric}"]) for row in log_history if "eval_loss" in row]
    steps, losses, scores = zip(*checks, strict=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
    left.plot(*zip(*training, strict=True), color=SKY, label="training") if training else None
    left.plot(steps, losses, "o-", color=VERMILION, label="validation")
    left.set(xlabel="step", ylabel="loss")
    left.legend()
    right.plot(steps, [100 * score for score in scores], "o-", color=VERMILION)
    right.set(xlabel="step", ylabel=f"validation {metric} (%)")
    show(figure, f"Validation loss goes from {losses[0]:.2f} to {losses[-1]:.2f} and validation {metric} from "
                 f"{scores[0]:.1%} to {scores[-1]:.1%} over {steps[-1]} steps.")  # fmt: skip


def show_learning_curve(frame, metric="accuracy"):
    """Show a share against the number of training examples, a line a method, with the deviation over seeds.

    Args:
        frame: DataFrame with the columns method, num_train and that of the metric, one row a run.
        metric: name of the column with a share between 0 and 1.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    said = []
    for (method, runs), colour in zip(frame.groupby("method"), PALETTE):
        rows = runs.groupby("num_train")[metric].agg(["mean", "std"]).fillna(0)
        axes.errorbar(rows.index, 100 * rows["mean"], yerr=100 * rows["std"], fmt="o-", capsize=3, color=colour, label=method)
        said.append(f"{method}: " + ", ".join(f"{size:,} examples {mean:.1%}" for size, mean in rows["mean"].items()))
    axes.set(xscale="log", xlabel="training examples", ylabel=f"{metric} (%)")
    sizes = sorted(frame["num_train"].unique())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    axes.minorticks_off()
    axes.legend()
    show(figure, f"{metric.capitalize()} against training examples. " + "; ".join(said) + ".")


def show_losses(history):
    """Show training and validation loss after each epoch, the picture of over-fitting.

    Args:
        history: list of dictionaries with epoch, train_loss and eval_loss.
    """
    import matplotlib.pyplot as plt

    epochs, training, validation = zip(*((r["epoch"], r["train_loss"], r["eval_loss"]) for r in history), strict=True)
    figure, axes = plt.subplots()
    axes.plot(epochs, training, "o-", color=SKY, label="training")
    axes.plot(epochs, validation, "o-", color=VERMILION, label="validation")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend()
    lowest = min(validation)
    show(figure, f"Training loss falls to {training[-1]:.3f}. Validation loss is lowest, {lowest:.2f}, after epoch "
                 f"{epochs[validation.index(lowest)]:.0f} and ends at {validation[-1]:.2f}.")  # fmt: skip


# Light tints of the palette, on which black letters have a contrast of more than 10 to 1.
TINTS = {"PER": "#9CCBEB", "ORG": "#F6CF86", "LOC": "#92D8C0", "MISC": "#E6BCD3"}


def _pieces(text, entities):
    """Yield the pieces of a text in order, each with its label, or with None where it is no entity."""
    end = 0
    for entity in entities:
        yield text[end : entity["start"]], None
        yield text[entity["start"] : entity["end"]], entity["label"]
        end = entity["end"]
    yield text[end:], None


def entities_html(text, entities):
    """Return a text as HTML with its entities marked, the label beside each in letters.

    Args:
        text: a string.
        entities: list of dictionaries with start, end (characters of the text) and label, in order, without overlap.
    """
    from html import escape

    def mark(name, label):
        style = f"background: {TINTS.get(label, '#DDDDDD')}; color: black; padding: 0.1em 0.3em; border-radius: 0.3em"
        return f'<mark style="{style}">{escape(name)} <b style="font-size: 0.7em">{escape(label)}</b></mark>'

    marked = "".join(mark(piece, label) if label else escape(piece) for piece, label in _pieces(text, entities))
    return f'<p style="line-height: 1.8; white-space: pre-wrap">{marked}</p>'


def show_entities(text, entities):
    """Show a text with its entities marked inline; as plain text, ``[LABEL name]``.

    Args:
        text: a string.
        entities: as `entities_html` takes them.
    """
    from IPython.display import display

    plain = "".join(f"[{label} {piece}]" if label else piece for piece, label in _pieces(text, entities))
    display({"text/html": entities_html(text, entities), "text/plain": plain}, raw=True)


def show_words(words, spans, title=None):
    """Show a sentence of words with its entities marked inline.

    Args:
        words: list of strings.
        spans: list of (first word, word after the last, label), as `ftcourse.ner.spans` returns it.
        title: what to put before the sentence.
    """
    shift = f"{title}: " if title else ""
    starts = [len(shift) + sum(len(word) + 1 for word in words[:i]) for i in range(len(words) + 1)]
    entities = [{"start": starts[first], "end": starts[last] - 1, "label": label} for first, last, label in spans]
    show_entities(shift + " ".join(words), entities)


def show_alignment(tokens, word_ids, rows):
    """Show which label each token gets, a column a token and a row a way to align, coloured by kind of name.

    Args:
        tokens: list of strings.
        word_ids: for each token the number of its word, None for special tokens.
        rows: dictionary from the name of a way to its labels, one a token; "-100" is an ignored position.
    """
    import matplotlib.pyplot as plt

    lines = {"word": ["" if word is None else str(word) for word in word_ids], **rows}
    width = max(0.75, 0.095 * max(map(len, tokens)))
    figure, axes = plt.subplots(figsize=(1.2 + width * len(tokens), 0.5 + 0.38 * len(lines)))
    for y, (name, cells) in enumerate(lines.items()):
        for x, cell in enumerate(cells):
            plain = "#E0E0E0" if cell == "-100" else "white"
            tint = "white" if name == "word" else TINTS.get(cell[2:], plain)
            axes.add_patch(plt.Rectangle((x, y), 1, 1, facecolor=tint, edgecolor="#888888"))
            axes.text(x + 0.5, y + 0.5, cell, ha="center", va="center", fontsize=8, color="black")
    axes.set(xlim=(0, len(tokens)), ylim=(len(lines), 0))
    axes.set_xticks([x + 0.5 for x in range(len(tokens))], tokens, fontsize=8)
    axes.set_yticks([y + 0.5 for y in range(len(lines))], lines, fontsize=9)
    axes.xaxis.tick_top()
    axes.grid(False)
    said = "; ".join(f"{name}: " + ", ".join(f"{t} {c}" for t, c in zip(tokens, cells)) for name, cells in rows.items())
    show(figure, f"The label of each token, in {len(rows)} ways. {said}.")


def show_errors(errors, scores):
    """Show for each label how many entities were found exactly, and how the others went wrong.

    Args:
        errors: list of dictionaries with kind ("boundary", "type", "missed" or "spurious"), true and found.
        scores: dictionary from a label to a dictionary with recall and entities, as `ftcourse.ner.score` returns it.
    """
    import matplotlib.pyplot as plt

    labels = [label for label in scores if label != "all"]
    counts = {"right": [round(scores[label]["recall"] * scores[label]["entities"]) for label in labels]}
    for kind in ("boundary", "type", "missed", "spurious"):
        of_kind = [(error["true"] or error["found"])[2] for error in errors if error["kind"] == kind]
        counts[kind] = [of_kind.count(label) for label in labels]
    figure, axes = plt.subplots(figsize=(8, 3))
    left = [0] * len(labels)
    styles = zip((BLUE, SKY, YELLOW, ORANGE, VERMILION), ("", "//", "..", "xx", "\\\\"))
    for (kind, values), (colour, hatch) in zip(counts.items(), styles):
        axes.barh(labels, values, left=left, label=kind, color=colour, hatch=hatch, edgecolor="white")
        left = [a + b for a, b in zip(left, values)]
    axes.set(xlabel="entities: the true ones, and at the right end the spurious")
    axes.invert_yaxis()
    axes.legend(ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1), fontsize=8)
    said = "; ".join(f"{kind} {', '.join(f'{label} {n}' for label, n in zip(labels, v))}" for kind, v in counts.items())
    show(figure, f"Entities by label and kind of answer. {said}.")


def chat_html(messages):
    """Return a conversation as HTML: the role of each message in bold letters, then its text.

    Args:
        messages: list of dictionaries with role and content.
    """
    from html import escape

    tints = {"user": TINTS["PER"], "assistant": TINTS["LOC"]}
    style = "background: {}; color: black; padding: 0.3em 0.6em; margin: 0.2em; border-radius: 0.3em; white-space: pre-wrap"
    return "".join(
        f'<p style="{style.format(tints.get(message["role"], "#DDDDDD"))}"><b>{escape(message["role"])}</b> '
        f'{escape(message["content"] or "")}</p>' for message in messages
    )  # fmt: skip


def show_chat(messages):
    """Show a conversation, a box a message with the role in letters; as plain text, a line a message.

    Args:
        messages: as `chat_html` takes them.
    """
    from IPython.display import display

    plain = "\n".join(f"{message['role']}: {message['content']}" for message in messages)
    display({"text/html": chat_html(messages), "text/plain": plain}, raw=True)


def show_chat_lengths(frame, max_length):
    """Show how many messages and how many tokens the examples have, and where the longest are cut.

    Args:
        frame: DataFrame with the columns messages, tokens and trained, one row an example.
        max_length: tokens after which an example is cut.
    """
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), width_ratios=[1, 2])
    counts = frame["messages"].value_counts().sort_index()
    left.bar_label(left.bar([str(count) for count in counts.index], counts))
    left.set(xlabel="messages", ylabel="examples")
    edges = range(0, max(max_length, frame["tokens"].max()) + 10, 10)
    right.hist(frame["tokens"], bins=edges, color=SKY, label="all tokens")
    right.hist(frame["trained"], bins=edges, color=ORANGE, alpha=0.7, hatch="//", label="trained on")
    right.axvline(max_length, color=BLACK, linestyle="--", label="cut here")
    right.set(xlabel="tokens of an example")
    right.legend()
    low, middle, high = frame["tokens"].quantile([0.1, 0.5, 0.9])
    show(figure, "Examples by number of messages: " + ", ".join(f"{n} messages {count}" for n, count in counts.items())
                 + f". A tenth have fewer than {low:.0f} tokens, half fewer than {middle:.0f}, a tenth more than {high:.0f}; "
                 f"{frame['trained'].sum() / frame['tokens'].sum():.0%} of all tokens are trained on. "
                 f"{(frame['tokens'] > max_length).sum()} are cut at {max_length}.")  # fmt: skip


def live_losses():
    """Return a function that draws the losses of a job, each time in place of the picture before.

    The function takes a list of dictionaries with step, train_loss and, where there was a validation, valid_loss.
    """
    from IPython.display import DisplayHandle, Markdown

    picture, caption = DisplayHandle(), DisplayHandle()
    put = [picture.display, caption.display]

    def draw(steps):
        figure, alt = _losses(steps)
        data, metadata = _picture(figure, alt)
        put[0](data, raw=True, metadata=metadata)
        put[1](Markdown(f"*Figure: {alt}*"))
        put[:] = [picture.update, caption.update]

    return draw


def show_results(table):
    """Show the losses in a job's result file over its steps.

    Args:
        table: DataFrame with the columns train_loss and valid_loss and the step as its index.
    """
    show(*_losses(table.reset_index().to_dict("records")))


def _losses(steps):
    """Return a figure of the losses of a job, and its text alternative."""
    import matplotlib.pyplot as plt
    import pandas as pd

    figure, axes = plt.subplots()
    axes.plot([row["step"] for row in steps], [row["train_loss"] for row in steps], color=SKY, label="training")
    checks = [(row["step"], row["valid_loss"]) for row in steps if pd.notna(row.get("valid_loss"))]
    if checks:
        axes.plot(*zip(*checks, strict=True), "o-", color=VERMILION, label="validation")
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.legend()
    said = f"Training loss goes from {steps[0]['train_loss']:.2f} to {steps[-1]['train_loss']:.2f} in {len(steps)} steps."
    return figure, said + (f" Validation loss ends at {checks[-1][1]:.2f}." if checks else "")


def show_windows(windows, answers, length):
    """Show how windows lie over a text, each a bar, with the places of the answer.

    Args:
        windows: list of (first character, character after the last), one a window.
        answers: dictionary with text and answer_start; empty lists for no answer.
        length: characters of the text.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.32 * len(windows)))
    places = [(start, start + len(text)) for text, start in zip(answers["text"], answers["answer_start"])]
    names = [f"window {number}" for number in range(1, len(windows) + 1)]
    axes.barh(names, [end - start for start, end in windows], left=[start for start, _ in windows], color=SKY, height=0.6)
    for start, end in places:
        axes.axvspan(start, end, color=VERMILION, zorder=3)
    axes.set(xlim=(0, length), xlabel="character of the text" + (": the answer stands at the mark" if places else ""))
    axes.invert_yaxis()
    said = ", ".join(f"{start:,} to {end:,}" for start, end in windows)
    holders = [str(number) for number, (first, last) in enumerate(windows, 1)
               if any(first <= start and end <= last for start, end in places)]  # fmt: skip
    where = f"The answer is whole in window {', '.join(holders)}." if holders else "No window holds an answer."
    show(figure, f"A text of {length:,} characters in {len(windows)} windows, which hold the characters {said}. {where}")


def show_span_chances(tokens, starts, ends):
    """Show the probability of each token of a text to be the start and the end of the answer.

    Args:
        tokens: list of strings.
        starts: probability of each token to be the first of the answer.
        ends: probability of each token to be the last of the answer.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(figsize=(9, 3))
    said = []
    for name, chances, colour, side in (("start", starts, BLUE, 1), ("end", ends, VERMILION, -1)):
        axes.bar(range(len(tokens)), side * 100 * np.asarray(chances), color=colour, width=1.0, label=name)
        best = [int(i) for i in np.argsort(chances)[::-1][:3]]
        axes.annotate(tokens[best[0]], (best[0], side * 100 * chances[best[0]]), xytext=(6, 0),
                      textcoords="offset points", va="center", fontsize=9)  # fmt: skip
        said.append(f"{name}: " + ", ".join(f"{tokens[i]} (token {i}) {chances[i]:.0%}" for i in best))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    axes.set(xlabel="token of the text", ylabel="probability (%)\nend | start", xlim=(-1, len(tokens)))
    axes.axhline(0, color=BLACK, linewidth=0.6)
    axes.legend()
    show(figure, f"Probability of {len(tokens)} tokens to be the start, upwards, and the end, downwards. The likeliest "
                 f"three of each: {'; '.join(said)}.")  # fmt: skip


def show_groups(groups, metrics):
    """Show the mean of some shares in each group as bars, with the number of rows in the group.

    Args:
        groups: a DataFrame grouped by one column.
        metrics: columns with shares between 0 and 1.
    """
    import matplotlib.pyplot as plt

    means, counts = 100 * groups[list(metrics)].mean(), groups.size()
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.5 * len(means)))
    names = [f"{name} ({count})" for name, count in counts.items()]
    height = 0.8 / len(metrics)
    for place, (metric, colour) in enumerate(zip(metrics, PALETTE)):
        rows = [row + (place - (len(metrics) - 1) / 2) * height for row in range(len(means))]
        bars = axes.barh(rows, means[metric], height=height, color=colour, label=metric)
        axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="% (how many there are in brackets)", xlim=(0, 100))
    axes.invert_yaxis()
    axes.legend(ncols=len(metrics), loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
    said = "; ".join(f"{name} " + ", ".join(f"{metric} {means.loc[group, metric]:.0f}%" for metric in metrics)
                     for name, group in zip(names, means.index))  # fmt: skip
    show(figure, f"By {means.index.name}, with the number of rows: {said}.")


def show_thresholds(sweep, chosen):
    """Show F1 over the threshold above which an answer is given.

    Args:
        sweep: DataFrame with the columns threshold, all, answerable and unanswerable.
        chosen: the threshold that was chosen.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots()
    finite = sweep[np.isfinite(sweep["threshold"])]
    kinds = [name for name in ("all", "answerable", "unanswerable") if sweep[name].notna().all()]
    for name, colour, style in zip(kinds, (BLACK, BLUE, VERMILION), ("-", "--", ":")):
        axes.plot(finite["threshold"], 100 * finite[name], style, color=colour, label=name, drawstyle="steps-post")
    if np.isfinite(chosen):
        axes.axvline(chosen, color=GREEN, label="chosen")
    axes.set(xlabel="threshold: margin that an answer must exceed", ylabel="F1 (%)", ylim=(0, 100))
    axes.legend()
    first, last, best = sweep.iloc[0], sweep.iloc[-1], sweep.loc[(sweep["threshold"] - chosen).abs().fillna(0).idxmin()]
    rows = {"always answering": first, f"at the chosen {chosen:.1f}": best, "never answering": last}
    said = "; ".join(f"{way}: " + ", ".join(f"{kind} {row[kind]:.0%}" for kind in kinds) for way, row in rows.items())
    show(figure, f"F1 over the threshold. {said}.")


def show_labels(tokens, learned):
    """Show the tokens of a dialogue, those with a label marked as ``answer``.

    Args:
        tokens: list of strings, as the tokenizer names them.
        learned: for each token whether it has a label.
    """
    from itertools import groupby

    shown = [token.replace("Ġ", "").replace("Ċ", "⏎") or "␣" for token in tokens]
    spans = [list(group) for has_label, group in groupby(range(len(tokens)), lambda i: learned[i]) if has_label]
    show_words(shown, [(span[0], span[-1] + 1, "answer") for span in spans])


def show_losses_by_step(log_history):
    """Show training and validation loss over the steps of a run.

    Args:
        log_history: ``trainer.state.log_history``.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    said = []
    for name, key, style, colour in (("training", "loss", "-", SKY), ("validation", "eval_loss", "o-", VERMILION)):
        rows = [(row["step"], row[key]) for row in log_history if key in row]
        if rows:
            axes.plot(*zip(*rows, strict=True), style, color=colour, label=name)
            lowest = min(rows, key=lambda row: row[1])
            said.append(f"{name} from {rows[0][1]:.2f} to {rows[-1][1]:.2f}, lowest {lowest[1]:.2f} at step {lowest[0]}")
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.legend()
    show(figure, f"Loss over the steps: {'; '.join(said)}.")


def show_sweep(frame, setting, value, metric, default, noise=None):
    """Show a metric for each value of each setting, a panel a setting, a dot a run.

    Args:
        frame: DataFrame with one row a run.
        setting: column with the name of the setting that was changed.
        value: column with its value.
        metric: column to show.
        default: what the metric is when nothing is changed, drawn as a dashed line.
        noise: lowest and highest of the metric over seeds when nothing is changed, drawn as a band; None for none.
    """
    import matplotlib.pyplot as plt

    groups = list(frame.groupby(setting, sort=False))
    figure, all_axes = plt.subplots(1, len(groups), figsize=(2.4 * len(groups), 3.2), sharey=True, squeeze=False)
    said = []
    for axes, (name, runs) in zip(all_axes.flat, groups, strict=True):
        means = runs.groupby(value)[metric].mean()
        order = sorted(means.index, key=lambda one: (not _is_number(one), float(one) if _is_number(one) else len(one)))
        axes.axhline(default, color=VERMILION, linestyle="--")
        if noise is not None:
            axes.axhspan(*noise, color=VERMILION, alpha=0.15)
        axes.plot(range(len(order)), means[order], "o", color=BLUE)
        axes.set_xlim(-0.6, len(order) - 0.4)
        labels = [str(one).replace(" ", "\n") for one in order]
        axes.set_xticks(range(len(order)), labels, fontsize=7)
        axes.set_title(name, fontsize=10)
        said.append(f"{name}: " + ", ".join(f"{one} {means[one]:.2f}" for one in order))
    all_axes.flat[0].set_ylabel(metric.replace("_", " "))
    band = "" if noise is None else f" (over seeds {noise[0]:.2f} to {noise[1]:.2f})"
    show(figure, f"{metric.replace('_', ' ')} by setting; unchanged {default:.2f}{band}. {'; '.join(said)}.")


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def show_quantised(weights, versions, size=16):
    """Show a corner of a weight matrix before and after quantisation, and the values that each kind allows in a block.

    Args:
        weights: float tensor of shape (rows, columns).
        versions: dictionary from the kind to the weights after quantising and unpacking, same shape.
        size: rows and columns of the corner.
    """
    import matplotlib.pyplot as plt

    corner = {"original": weights, **versions}
    limit = float(weights[:size, :size].abs().max())
    figure, all_axes = plt.subplots(2, len(corner), figsize=(2.4 * len(corner), 4.2), height_ratios=[3, 1.3])
    said = []
    for (top, bottom), (name, matrix) in zip(all_axes.T, corner.items(), strict=True):
        top.imshow(matrix[:size, :size].cpu(), cmap="cividis", vmin=-limit, vmax=limit)
        top.set(title=name, xticks=[], yticks=[])
        top.grid(False)
        block = matrix.reshape(-1)[:64].cpu()  # one block of NF4 and FP4
        values = len(block.unique())
        bottom.vlines(block, 0, 1, color=BLUE, linewidth=0.8)
        bottom.set(xlabel=f"{values} values in a block", yticks=[], xlim=(-1.1 * float(block.abs().max()), 1.1 * float(block.abs().max())))
        bottom.tick_params(labelsize=7)
        said.append(f"{name} {values}")
    show(figure, f"A corner of {size} by {size} weights before and after quantisation, and below it the different values "
                 f"among 64 weights: {', '.join(said)}.")  # fmt: skip


def show_memory(estimates, sizes):
    """Show what training needs as stacked bars, one a method, with the memory of GPUs as lines.

    Args:
        estimates: dictionary from a method to a dictionary of parts in bytes with their `peak`, as
            `ftcourse.lora.estimate_memory` returns it.
        sizes: dictionary from the name of a GPU to its memory in units of 10^9 bytes.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 1.4 + 0.5 * len(estimates)))
    left = dict.fromkeys(estimates, 0.0)
    parts = [part for part in next(iter(estimates.values())) if part != "peak"]
    for part, colour in zip(parts, PALETTE):
        values = [estimates[method][part] / 1e9 for method in estimates]
        axes.barh(list(estimates), values, left=list(left.values()), color=colour, label=part)
        left = {method: left[method] + value for method, value in zip(estimates, values)}
    for name, size in sizes.items():
        axes.axvline(size, color=BLACK, linewidth=0.8, linestyle="--")
        axes.text(size, -0.62, name, ha="center", fontsize=8)
    axes.plot([parts["peak"] / 1e9 for parts in estimates.values()], list(estimates), "D", color="white",
              markeredgecolor=BLACK, label="peak")  # fmt: skip
    axes.set(xlabel="GB", ylim=(len(estimates) - 0.5, -0.85))
    axes.legend(loc="lower right", fontsize=8)
    peaks = {method: parts["peak"] / 1e9 for method, parts in estimates.items()}
    fits = {method: next((name for name, size in sizes.items() if peak < size), "none of these") for method, peak in peaks.items()}
    show(figure, "Memory of training by part, and the peak: " + ", ".join(
        f"{method} {peak:.1f} GB (smallest that holds it: {fits[method]})" for method, peak in peaks.items()) + ".")  # fmt: skip


def show_range_test(curve, suggested):
    """Show the loss over a growing learning rate.

    Args:
        curve: DataFrame with learning_rate, loss and smoothed.
        suggested: the learning rate to mark.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot(curve["learning_rate"], curve["loss"], ".", color=SKY, label="a step")
    axes.plot(curve["learning_rate"], curve["smoothed"], color=BLUE, label="smoothed")
    axes.axvline(suggested, color=VERMILION, linestyle="--", label=f"suggested: {suggested:.1e}")
    top = 2 * curve["smoothed"].iloc[0]
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss", ylim=(0, top))
    axes.legend()
    lowest = curve.loc[curve["smoothed"].idxmin()]
    show(figure, f"Smoothed loss starts at {curve['smoothed'].iloc[0]:.2f}, is lowest, {lowest['smoothed']:.2f}, at a learning "
                 f"rate of {lowest['learning_rate']:.1e} and ends at {curve['smoothed'].iloc[-1]:.2f}. "
                 f"Suggested: {suggested:.1e}.")  # fmt: skip


def show_trials(trials):
    """Show the trials of a search by learning rate and accuracy; those that were stopped early are crosses.

    Args:
        trials: DataFrame with learning_rate, accuracy and pruned.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    said = []
    for pruned, name, mark, colour in ((False, "to the end", "o", BLUE), (True, "stopped early", "x", VERMILION)):
        rows = trials[trials["pruned"] == pruned]
        if len(rows):
            axes.plot(rows["learning_rate"], 100 * rows["accuracy"], mark, color=colour, label=name)
            said.append(f"{name} " + ", ".join(f"{a:.0%} at {r:.1e}" for r, a in zip(rows["learning_rate"], rows["accuracy"])))
    axes.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy (%)")
    axes.legend()
    show(figure, f"{len(trials)} trials, accuracy by learning rate: {'; '.join(said)}.")


def show_reliability(tables):
    """Show accuracy against certainty, a line a model; on the diagonal a model is as right as it says.

    Args:
        tables: dictionary from a name to a DataFrame with count, confidence and accuracy, one row a bin.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 4.5))
    axes.plot([0, 100], [0, 100], color=BLACK, linewidth=0.8, linestyle="--", label="as right as it says")
    said = []
    for (name, table), colour, mark in zip(tables.items(), (VERMILION, BLUE, GREEN), "os^"):
        axes.plot(100 * table["confidence"], 100 * table["accuracy"], f"{mark}-", color=colour, label=name)
        axes.scatter(100 * table["confidence"], 100 * table["accuracy"], s=300 * table["count"] / table["count"].sum(), color=colour, alpha=0.3)
        said.append(f"{name}: " + ", ".join(f"sure {c:.0%} right {a:.0%}" for c, a in zip(table["confidence"], table["accuracy"])))
    low = min(table["confidence"].min() for table in tables.values())
    axes.set(xlabel="certainty (%)", ylabel="right (%)", xlim=(max(0, 100 * low - 5), 101), ylim=(0, 101))
    axes.legend(loc="lower right")
    show(figure, f"Accuracy by certainty. {'; '.join(said)}.")


def show_slices(table, overall):
    """Show the accuracy of slices of the data with their intervals, and the overall accuracy as a line.

    Args:
        table: DataFrame with count, accuracy, low and high, one row a slice.
        overall: the accuracy on all.
    """
    import matplotlib.pyplot as plt

    table = table[table["count"] > 0]
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.4 * len(table)))
    names = [f"{name} ({count})" for name, count in table["count"].items()]
    errors = 100 * abs(table[["low", "high"]].to_numpy().T - table["accuracy"].to_numpy())
    axes.errorbar(100 * table["accuracy"], names, xerr=errors, fmt="o", capsize=3, color=BLUE)
    axes.axvline(100 * overall, color=VERMILION, linestyle="--", label="all")
    axes.set(xlabel="accuracy (%) with its interval; how many there are in brackets")
    axes.invert_yaxis()
    axes.legend()
    said = ", ".join(f"{name} {row.accuracy:.0%} ({row.low:.0%} to {row.high:.0%})" for name, row in zip(names, table.itertuples()))
    show(figure, f"Accuracy by slice; all {overall:.0%}: {said}.")


def show_decisions(tree):
    """Show a tree of questions, each answered by yes, to the right, or no, downwards.

    Args:
        tree: list of (question, what to do if the answer is yes); the last one's question is what to do otherwise,
            with None.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 0.95 * len(tree)))
    box = dict(boxstyle="round,pad=0.4", edgecolor=BLACK)
    for row, (question, advice) in enumerate(tree):
        y, last = -row, advice is None
        axes.text(0, y, question, ha="center", va="center", fontsize=9, bbox={**box, "facecolor": TINTS["LOC" if last else "PER"]})
        if not last:
            axes.annotate("", (0, y - 0.7), (0, y - 0.3), arrowprops=dict(arrowstyle="->", color=BLACK))
            axes.text(0.04, y - 0.5, "no", va="center", fontsize=8)
            axes.annotate("", (0.75, y), (0.43, y), arrowprops=dict(arrowstyle="->", color=BLACK))
            axes.text(0.59, y + 0.16, "yes", ha="center", fontsize=8)
            axes.text(0.8, y, advice, ha="left", va="center", fontsize=9, bbox={**box, "facecolor": TINTS["LOC"]})
    axes.set(xlim=(-0.5, 1.6), ylim=(0.5 - len(tree), 0.5))
    axes.axis("off")
    said = " ".join(f"{question} {f'If yes: {advice}.' if advice else ''}" for question, advice in tree[:-1])
    show(figure, f"Decision guide. {said} Otherwise: {tree[-1][0]}.".replace("\n", " "))
