"""Where devices and their measurements come from: the project's own database, or a Cumulocity tenant.

Both sources follow one protocol, and the setting ``ZEMENTIS_DATA_SOURCE`` chooses. Measurements travel as columns.
"""

from zementis.devices.source import Batch, Chunk, DataSource, DataSourceError, Target, data_source

__all__ = ["Batch", "Chunk", "DataSource", "DataSourceError", "Target", "data_source"]
