import Bytes
import COpenSSL
import Glibc
import TLSSupport
import Testing

@testable import TLS

/// A directory with the files of an authority, which goes when the test does.
final class AuthorityFolder: Sendable {
    let path: String
    let certificate: String
    let key: String

    init() {
        var template = Array("/tmp/weir-authority-XXXXXX".utf8CString)
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
        (certificate, key) = ("\(path)/ca.pem", "\(path)/ca.key")
    }

    /// With the files of an authority that somebody gave.
    convenience init(_ identity: Identity, above: [Identity] = []) {
        self.init()
        put(identity.pem + above.flatMap(\.pem), certificate, mode: 0o644)
        put(identity.keyPEM, key)
    }

    deinit { _ = shell("rm -r \(path)") }

    func put(_ bytes: [UInt8], _ path: String, mode: mode_t = 0o600) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode)
        #expect(write(file, bytes, bytes.count) == bytes.count && fchmod(file, mode) == 0)
        close(file)
    }

    func text(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    func mode(_ path: String) -> mode_t? {
        var facts = stat()
        return stat(path, &facts) == 0 ? facts.st_mode & 0o777 : nil
    }

    var names: [String] { shell("ls \(path)").text.split(separator: "\n").map(String.init) }

    func authority() throws(AuthorityFault) -> Authority { try Authority(certificate: certificate, key: key) }

    func make(now: Int64 = unixNow()) throws(AuthorityFault) {
        try Authority.make(certificate: certificate, key: key, now: now)
    }

    /// What is wrong with the authority in it, with the directory's name taken away.
    func fault() -> String? {
        do throws(AuthorityFault) {
            _ = try authority()
            return nil
        } catch { return shown(error) }
    }

    func shown(_ fault: AuthorityFault) -> String { fault.description.split(separator: "\(path)/").joined() }
}

/// Unix seconds.
func unixNow() -> Int64 { Int64(time(nil)) }

/// What a program says, on both its outputs, and how it ends.
func shell(_ command: String) -> (text: String, status: Int32) {
    guard let pipe = popen("\(command) 2>&1", "r") else { return ("", -1) }
    var text: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 4096)
    while case let count = fread(&room, 1, room.count, pipe), count > 0 { text += room.prefix(count) }
    return (String(decoding: text, as: UTF8.self), pclose(pipe))
}

func pem(_ certificate: OpaquePointer) -> [UInt8] { Array(PEM.text(certificate).utf8) }
