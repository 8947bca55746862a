import COpenSSL
import Glibc

/// OpenSSL's list of errors, one for each thread. What is left in it is taken by the next call, of whatever session, for
/// its own: so every call into OpenSSL begins and ends with an empty one.
enum ErrorQueue {
    struct Entry {
        let code: UInt

        var isTLS: Bool { ERR_GET_LIB(code) == ERR_LIB_SSL }
        var isEndOfPEM: Bool { ERR_GET_LIB(code) == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE }
        var reason: Int32 { ERR_GET_REASON(code) }

        /// In OpenSSL's words, or those of the operating system.
        var text: String {
            // An error of the system stands with the top bit set (err.h), and its reason is the errno.
            if code & 0x8000_0000 != 0 { return strerror(Int32(code & 0x7fff_ffff)).map { String(cString: $0) } ?? "" }
            return ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
        }
    }

    static func clear() { ERR_clear_error() }

    /// Empties the queue and answers with what says most: the first error of the TLS layer, else the first of all.
    static func drain() -> Entry? {
        var told: Entry?
        while case let code = ERR_get_error(), code != 0 {
            let entry = Entry(code: code)
            guard let first = told else {
                told = entry
                continue
            }
            if entry.isTLS, !first.isTLS { told = entry }
        }
        return told
    }
}
