package tallystick

import java.nio.file.{Files, Paths}
import java.security.MessageDigest
import javax.security.sasl.AuthenticationException
import org.apache.hive.service.auth.PasswdAuthenticationProvider

/** Admits the one user and password in the file that the property `tallystick.login` names. */
class PasswordFile extends PasswdAuthenticationProvider {
  def Authenticate(user: String, password: String): Unit = {
    val known = Files.readAllBytes(Paths.get(System.getProperty("tallystick.login")))
    if (!MessageDigest.isEqual(known, s"$user:$password".getBytes("UTF-8")))
      throw new AuthenticationException("unknown user or wrong password")
  }
}
