package org.apache.hadoop.hive.llap.io.api

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.hive.serde2.Deserializer
import org.apache.hadoop.io.NullWritable
import org.apache.hadoop.mapred.InputFormat

/** Hive asks whether it runs in its own daemon, which is not among the jars: it does not. */
trait LlapIo[T] {
  def getInputFormat(source: InputFormat[_, _], serde: Deserializer): InputFormat[NullWritable, T]
  def close(): Unit
}

class LlapProxy

object LlapProxy {
  def setDaemon(daemon: Boolean): Unit = ()
  def isDaemon: Boolean = false
  def getIo: LlapIo[_] = null
  def initializeLlapIo(conf: Configuration): Unit = ()
  def close(): Unit = ()
}
