package org.apache.hadoop.hive.llap.security

/** A function that Hive registers names this type; nothing here calls it. */
trait LlapSigner

object LlapSigner {
  trait Signable
}
