"""List the data sets that can be read, with their licence and how to get them.

sfcl datasets
"""


def add_arguments(parser):
    """Adds nothing: the subcommand takes no arguments of its own."""


def run(args):
    """Runs the subcommand."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from sfcl_tf.catalog.cards import card_names, load_card
    from sfcl_tf.catalog.layouts import reader
    from sfcl_tf.cli.console import console, say

    for name in card_names():
        card = load_card(name)
        console.print(Text.assemble((name, "bold"), "  ", card.title))
        facts = Table.grid(padding=(0, 2))
        facts.add_row("from", card.source)
        facts.add_row("licence", card.licence)
        facts.add_row("lies at", reader(card.layout).expected_path(card))
        console.print(Padding(facts, (0, 0, 1, 2)))
    say(
        "Of your own: `sfcl prepare ./DIR` with DIR/real and DIR/fake, videos or\n"
        "images; `sfcl prepare LIST.csv` with path,label[,split][,group][,method]; or\n"
        "a card, `sfcl prepare CARD.toml`."
    )
