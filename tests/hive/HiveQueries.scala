package tallystick

import java.util.{ArrayList, HashSet, List => JavaList, Map => JavaMap, Set => JavaSet}
import java.util.Collections
import org.apache.hadoop.hive.conf.HiveConf
import org.apache.hadoop.hive.ql.Driver
import org.apache.hadoop.hive.ql.processors.{CommandProcessorFactory, CommandProcessorResponse}
import org.apache.hadoop.hive.ql.session.SessionState
import org.apache.hive.service.cli._
import org.apache.hive.service.cli.operation._
import org.apache.hive.service.cli.session.{HiveSession, SessionManager}
import org.apache.hive.service.rpc.thrift.{TRowSet, TTableSchema}
import org.apache.hive.service.server.HiveServer2

/** HiveServer2 in front of Hive's own engine, for tests.
  *
  * Spark ships Hive 2.3 with its engine, and HiveServer2 without the one operation that runs a
  * statement: this puts it back.
  */
object HiveQueries {
  def main(arguments: Array[String]): Unit = {
    val server = new HiveServer2()
    val conf = new HiveConf()
    server.init(conf)
    val service = field(server, classOf[HiveServer2], "cliService").get(server)
    val sessions = service.asInstanceOf[CLIService].getSessionManager
    val operations = new Operations()
    operations.init(conf)
    field(sessions, classOf[SessionManager], "operationManager").set(sessions, operations)
    server.start()
    Thread.currentThread().join()
  }

  private def field(owner: AnyRef, of: Class[_], name: String) = {
    val found = of.getDeclaredField(name)
    found.setAccessible(true)
    found
  }
}

class Operations extends OperationManager {
  override def newExecuteStatementOperation(
      session: HiveSession,
      statement: String,
      settings: JavaMap[String, String],
      async: Boolean,
      timeout: Long
  ): ExecuteStatementOperation = {
    val operation = new StatementOperation(session, statement, settings)
    val add = classOf[OperationManager].getDeclaredMethod("addOperation", classOf[Operation])
    add.setAccessible(true)
    add.invoke(this, operation)
    operation
  }
}

object StatementOperation {
  val started: JavaSet[String] = Collections.synchronizedSet(new HashSet[String]())
  val running = new Object()
}

class StatementOperation(
    session: HiveSession,
    statement: String,
    settings: JavaMap[String, String]
) extends ExecuteStatementOperation(session, statement, settings, false) {
  private var driver: Driver = null
  private var schema: TableSchema = new TableSchema()

  override def runInternal(): Unit = {
    setState(OperationState.RUNNING)
    try {
      val conf = getParentSession.getHiveConf
      val state = SessionState.get()
      // Makes the session's folders for intermediate results.
      StatementOperation.started.synchronized {
        if (StatementOperation.started.add(state.getSessionId)) SessionState.start(state)
      }
      val text = statement.trim
      CommandProcessorFactory.getForHiveCommand(text.split("\\s+"), conf) match {
        case command if command != null && !command.isInstanceOf[Driver] =>
          check(command.run(text.substring(text.split("\\s+")(0).length).trim))
          setHasResultSet(false)
        case _ => query(conf, text)
      }
      setState(OperationState.FINISHED)
    } catch {
      case failure: HiveSQLException =>
        setState(OperationState.ERROR)
        throw failure
      case failure: Throwable =>
        setState(OperationState.ERROR)
        throw new HiveSQLException("Error running query: " + failure, failure)
    }
  }

  private def query(conf: HiveConf, text: String): Unit = {
    driver = new Driver(conf, getParentSession.getUserName)
    // Local MapReduce jobs of one Java process share what they read from: one at a time.
    StatementOperation.running.synchronized { check(driver.run(text)) }
    val found = driver.getSchema
    val rows = found != null && found.getFieldSchemas != null && !found.getFieldSchemas.isEmpty &&
      driver.getFetchTask != null
    if (rows) schema = new TableSchema(found)
    setHasResultSet(rows)
  }

  private def check(response: CommandProcessorResponse): Unit =
    if (response.getResponseCode != 0)
      throw toSQLException("Error while processing statement", response)

  override def getResultSetSchema: TTableSchema = schema.toTTableSchema

  override def getNextRowSet(orientation: FetchOrientation, most: Long): TRowSet = {
    val fetched = RowSetFactory.create(schema, getProtocolVersion, false)
    val rows: JavaList[Object] = new ArrayList[Object]()
    driver.setMaxRows(most.toInt)
    if (driver.getResults(rows)) rows.forEach(row => fetched.addRow(row.asInstanceOf[Array[Object]]))
    fetched.toTRowSet
  }

  override def cancel(): Unit = {
    setState(OperationState.CANCELED)
    if (driver != null) driver.close()
  }

  override def close(): Unit = {
    setState(OperationState.CLOSED)
    if (driver != null) {
      driver.close()
      driver.destroy()
    }
  }
}
