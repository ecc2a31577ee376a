"""Spark's Thrift Server: HiveServer2's protocol with a login and TLS, on loopback, in a folder."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)

from tests.certificates import Authority
from tests.java import LOGGING, built_once, compile_scala, free_port, java, start

USER = "tallystick"
PASSWORD_PROVIDER = Path(__file__).with_name("PasswordFile.scala")
SERVER = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"


def launch_thrift_server(directory: Path, watched: int) -> Mapping[str, str]:
    """Start it in the directory; tells port, password, authority, warehouse and process group."""
    classes = built_once(
        "login", [PASSWORD_PROVIDER], lambda target: compile_scala(target, PASSWORD_PROVIDER)
    )
    for name in ("tmp/local", "conf", "external"):
        (directory / name).mkdir(parents=True)
    (directory / "conf" / "log4j2.properties").write_text(LOGGING)
    password = secrets.token_urlsafe(16) + "@/:%"
    (directory / "login").write_text(f"{USER}:{password}")
    authority = Authority(directory / "certificates")
    store_password = _write_key_store(authority, directory / "keys.p12")
    port = free_port()
    options = [
        "-Xmx2g",
        "-Xss16m",
        *_definitions(_spark_settings(directory)),
        *_definitions(_java_settings(directory)),
    ]
    hive = _hive_settings(directory, port, store_password)
    arguments = [f for key, value in hive.items() for f in ("--hiveconf", f"{key}={value}")]
    command = java(SERVER, *arguments, classpath=[directory / "conf", classes], options=options)
    server = start(command, port, directory, watched)
    return {
        "port": str(port),
        "password": password,
        "authority": str(authority.file),
        "warehouse": str(directory / "external"),
        "group": str(server.group),
    }


def _java_settings(directory: Path) -> dict[str, object]:
    return {
        "java.io.tmpdir": directory / "tmp",
        "derby.system.home": directory,
        "derby.stream.error.file": directory / "derby.log",
        "log4j2.configurationFile": directory / "conf" / "log4j2.properties",
        "tallystick.login": directory / "login",
        # Somewhere else than here, so that a time that is not UTC is found out.
        "user.timezone": "Asia/Shanghai",
    }


def _spark_settings(directory: Path) -> dict[str, object]:
    return {
        "spark.master": "local[2]",
        "spark.app.name": "tests",
        "spark.submit.deployMode": "client",
        "spark.sql.warehouse.dir": directory / "warehouse",
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={directory}/metastore;create=true"
        ),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.local.dir": directory / "tmp",
        "spark.sql.shuffle.partitions": "2",
    }


def _hive_settings(directory: Path, port: int, store_password: str) -> dict[str, object]:
    return {
        "hive.server2.thrift.bind.host": "127.0.0.1",
        "hive.server2.thrift.port": port,
        "hive.server2.authentication": "CUSTOM",
        "hive.server2.custom.authentication.class": "tallystick.PasswordFile",
        "hive.server2.use.SSL": "true",
        "hive.server2.keystore.path": directory / "keys.p12",
        "hive.server2.keystore.password": store_password,
        "hive.server2.enable.doAs": "false",
        "hive.server2.logging.operation.enabled": "false",
        "hive.exec.scratchdir": directory / "tmp" / "scratch",
        "hive.exec.local.scratchdir": directory / "tmp" / "local",
        "hive.downloaded.resources.dir": directory / "tmp" / "resources",
    }


def _definitions(settings: Mapping[str, object]) -> list[str]:
    return [f"-D{key}={value}" for key, value in settings.items()]


def _write_key_store(authority: Authority, file: Path) -> str:
    issued = authority.issue("127.0.0.1")
    key = load_pem_private_key(issued.key_file.read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(issued.file.read_bytes())
    password = secrets.token_hex(16)
    encryption = BestAvailableEncryption(password.encode())
    assert isinstance(key, EllipticCurvePrivateKey)
    store = pkcs12.serialize_key_and_certificates(b"server", key, certificate, None, encryption)
    file.write_bytes(store)
    return password
