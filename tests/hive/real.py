"""Hive 2.3 itself behind HiveServer2's protocol: it refuses what Spark lets through.

The engine is among pyspark's jars; HiveQueries.scala says what is put back. Statements run as
local MapReduce jobs, in seconds.
"""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from tests.java import LOGGING, built_once, compile_scala, free_port, java, start

FOLDER = Path(__file__).parent
SOURCES = [FOLDER / name for name in ("HiveQueries.scala", "Llap.scala", "LlapSecurity.scala")]


def launch_real_hive(directory: Path, watched: int) -> Mapping[str, str]:
    """Start it in the directory; tells port, warehouse and process group."""
    classes = built_once("hive", SOURCES, lambda target: compile_scala(target, *SOURCES))
    for name in ("tmp/local", "conf", "external"):
        (directory / name).mkdir(parents=True)
    port = free_port()
    properties = "".join(
        f"<property><name>{name}</name><value>{escape(str(value))}</value></property>\n"
        for name, value in _settings(directory, port).items()
    )
    site = f"<configuration>\n{properties}</configuration>\n"
    (directory / "conf" / "hive-site.xml").write_text(site)
    (directory / "conf" / "log4j2.properties").write_text(LOGGING)
    options = [
        "-Xmx1g",
        f"-Djava.io.tmpdir={directory}/tmp",
        f"-Dderby.stream.error.file={directory}/derby.log",
        f"-Dlog4j2.configurationFile={directory}/conf/log4j2.properties",
        "-Duser.timezone=Asia/Shanghai",
    ]
    classpath = [directory / "conf", classes]
    command = java("tallystick.HiveQueries", classpath=classpath, options=options)
    server = start(command, port, directory, watched)
    return {
        "port": str(port),
        "warehouse": str(directory / "external"),
        "authentication": "nosasl",
        "group": str(server.group),
    }


def _settings(directory: Path, port: int) -> dict[str, object]:
    return {
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={directory}/ms;create=true",
        "datanucleus.schema.autoCreateAll": "true",
        "hive.metastore.schema.verification": "false",
        "hive.metastore.warehouse.dir": directory / "warehouse",
        "hive.metastore.event.db.notification.api.auth": "false",
        "fs.defaultFS": "file:///",
        "hive.execution.engine": "mr",
        "mapreduce.framework.name": "local",
        "hive.exec.counters.pull.interval": 20,  # milliseconds until it sees that a job is done
        "mapreduce.client.completion.pollinterval": 20,
        "mapreduce.client.progressmonitor.pollinterval": 20,
        "hive.merge.mapfiles": "false",
        "hive.exec.submitviachild": "false",
        "hive.exec.submit.local.task.via.child": "false",
        "hive.exec.scratchdir": directory / "tmp" / "scratch",
        "hive.exec.local.scratchdir": directory / "tmp" / "local",
        "hive.downloaded.resources.dir": directory / "tmp" / "resources",
        "hive.cbo.enable": "false",  # its optimiser is not among the jars
        "hive.async.log.enabled": "false",
        "hive.stats.autogather": "false",
        "hive.support.concurrency": "false",
        "hive.server2.thrift.bind.host": "127.0.0.1",
        "hive.server2.thrift.port": port,
        "hive.server2.authentication": "NOSASL",
        "hive.server2.enable.doAs": "false",
        "hive.server2.logging.operation.enabled": "false",
        # Rows as objects, not as lines of text.
        "list.sink.output.formatter": "org.apache.hadoop.hive.serde2.thrift.ThriftFormatter",
        "list.sink.output.protocol": "6",
    }
