import CCodecs

/// Makes coded bodies.
enum Pack {
    static func gzip(_ body: [UInt8]) -> [UInt8] { deflate(body, bits: 15 + 16) }
    static func zlib(_ body: [UInt8]) -> [UInt8] { deflate(body, bits: 15) }
    static func bare(_ body: [UInt8]) -> [UInt8] { deflate(body, bits: -15) }

    /// `flushes`: places after which a block ends on a byte boundary.
    static func deflate(_ body: [UInt8], bits: Int32, flushes: [Int] = []) -> [UInt8] {
        var stream = z_stream()
        deflateInit2_(
            &stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        var output: [UInt8] = []
        var from = 0
        for to in flushes.filter({ $0 <= body.count }) + [body.count] where to >= from {
            let flush = to == body.count ? Z_FINISH : Z_SYNC_FLUSH
            var part = Array(body[from..<to])
            var room = [UInt8](repeating: 0, count: part.count * 2 + 128)
            part.withUnsafeMutableBufferPointer { input in
                room.withUnsafeMutableBufferPointer { out in
                    (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(input.count))
                    (stream.next_out, stream.avail_out) = (out.baseAddress, UInt32(out.count))
                    _ = CCodecs.deflate(&stream, flush)
                }
            }
            output += room.dropLast(Int(stream.avail_out))
            from = to
            if flush == Z_FINISH { break }
        }
        return output
    }

    /// Messages as permessage-deflate sends them (RFC 7692 section 7.2.1).
    static func messages(_ bodies: [[UInt8]], takeover: Bool) -> [[UInt8]] {
        var stream = z_stream()
        deflateInit2_(
            &stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        return bodies.map { body in
            if !takeover { deflateReset(&stream) }
            var part = body
            var room = [UInt8](repeating: 0, count: part.count * 2 + 128)
            part.withUnsafeMutableBufferPointer { input in
                room.withUnsafeMutableBufferPointer { out in
                    (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(input.count))
                    (stream.next_out, stream.avail_out) = (out.baseAddress, UInt32(out.count))
                    _ = CCodecs.deflate(&stream, Z_SYNC_FLUSH)
                }
            }
            return Array(room.dropLast(Int(stream.avail_out)).dropLast(4))
        }
    }
}
