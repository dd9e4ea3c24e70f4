"""List the data sets that can be read, with their licence and how to get them.

sfcl datasets
"""


def add_arguments(parser):
    """Adds nothing: the subcommand takes no arguments of its own."""


def run(args):
    """Runs the subcommand."""
    from rich.table import Table

    from sfcl_tf.cli.console import console, say
    from sfcl_tf.data.cards import card_names, load_card
    from sfcl_tf.data.layouts import reader

    shown = Table(title="Data sets", title_justify="left", title_style="bold")
    for column in ("card", "what", "how to get it", "licence"):
        shown.add_column(column, overflow="fold")
    for name in card_names():
        card = load_card(name)
        where = f"{card.source}\nto {reader(card.layout).place(card)}"
        shown.add_row(name, card.title, where, card.licence)
    console.print(shown)
    say(
        "Of your own: `sfcl prepare ./DIR` with DIR/real and DIR/fake, videos or "
        "images; `sfcl prepare LIST.csv` with path,label[,split][,group][,method]; or "
        "a card, `sfcl prepare CARD.toml`."
    )
