import CCodecs

/// Makes coded bodies.
enum Pack {
    static func gzip(_ body: [UInt8]) -> [UInt8] { deflate(body, bits: 15 + 16) }
    static func zlib(_ body: [UInt8]) -> [UInt8] { deflate(body, bits: 15) }
    static func bare(_ body: [UInt8]) -> [UInt8] { deflate(body, bits: -15) }

    /// Meta-blocks that are stored as they are (RFC 7932 section 9.2): a decoder needs no more, and no encoder is needed.
    static func br(_ body: [UInt8]) -> [UInt8] {
        // WBITS 16 is one bit, 0; then for each meta-block ISLAST 0, MNIBBLES 4, MLEN - 1 and ISUNCOMPRESSED 1.
        var bits: [Bool] = [false]
        var output: [UInt8] = []
        func flush() {
            for from in stride(from: 0, to: bits.count, by: 8) {
                let ones = (from..<min(from + 8, bits.count)).filter { bits[$0] }
                output.append(ones.reduce(0) { $0 | 1 << UInt8($1 - from) })
            }
            bits = []
        }
        for from in stride(from: 0, to: body.count, by: 50) {
            let part = body[from..<min(from + 50, body.count)]
            bits += [false, false, false] + (0..<16).map { (part.count - 1) >> $0 & 1 == 1 } + [true]
            flush()
            output += part
        }
        // ISLAST and ISLASTEMPTY.
        bits += [true, true]
        flush()
        return output
    }

    static func zstd(_ body: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: ZSTD_compressBound(body.count))
        let count = ZSTD_compress(&output, output.count, body, body.count, 3)
        return Array(output[..<count])
    }

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
