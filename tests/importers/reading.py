"""What the tests of the importer look at: what was found, the rows with the questions left open, and what could not be read."""

from bayescale.importers.importing import table_of
from bayescale.importers.read import read_logs


def gather(sources, answers):
    logs = read_logs(sources, answers)
    return logs.discovery, table_of(logs, answers), list(logs.unread)
