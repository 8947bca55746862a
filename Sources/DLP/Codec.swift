import CCodecs

/// One of the libraries that undo a coding, behind one door: bytes in, as many bytes out as they give.
///
/// What has come out depends on the bytes that went in, never on how they were cut.
final class Codec {
    enum Format { case gzip, zlib, bareDeflate, brotli, zstd }

    enum State { case running, ended, broken }

    struct Step {
        var used: Int
        var filled: Int
        var state: State
        /// The output was filled, and there may be more.
        var more: Bool
    }

    private enum Engine {
        case zlib(UnsafeMutablePointer<z_stream>)
        case brotli(OpaquePointer)
        case zstd(OpaquePointer)
    }

    private var engine: Engine
    /// A frame of zstd begins. Its first byte goes in alone: a whole frame handed in at once is judged as a whole.
    private var isFrameStart = true

    /// 8 MiB, the most that a sender of this content coding may ask for (RFC 9659).
    private static let zstdWindowLog: Int32 = 23

    init(_ format: Format) {
        switch format {
        case .gzip: engine = .zlib(Self.inflater(bits: 15 + 16))
        case .zlib: engine = .zlib(Self.inflater(bits: 15))
        case .bareDeflate: engine = .zlib(Self.inflater(bits: -15))
        case .brotli: engine = .brotli(Self.brotli())
        case .zstd:
            guard let context = ZSTD_createDCtx() else { preconditionFailure("out of memory") }
            _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.zstdWindowLog)
            engine = .zstd(context)
        }
    }

    deinit { close() }

    private func close() {
        switch engine {
        case .zlib(let stream):
            inflateEnd(stream)
            stream.deallocate()
        case .brotli(let decoder): BrotliDecoderDestroyInstance(decoder)
        case .zstd(let context): ZSTD_freeDCtx(context)
        }
    }

    private static func inflater(bits: Int32) -> UnsafeMutablePointer<z_stream> {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            preconditionFailure("out of memory")
        }
        return stream
    }

    private static func brotli() -> OpaquePointer {
        guard let decoder = BrotliDecoderCreateInstance(nil, nil, nil) else { preconditionFailure("out of memory") }
        return decoder
    }

    /// Another body begins, which may refer to nothing before it.
    func restart() {
        switch engine {
        case .zlib(let stream): inflateReset(stream)
        case .brotli(let decoder):
            BrotliDecoderDestroyInstance(decoder)
            engine = .brotli(Self.brotli())
        case .zstd(let context):
            ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
            isFrameStart = true
        }
    }

    /// Another body of deflate begins, which may refer to what came before.
    func resume() {
        if case .zlib(let stream) = engine { inflateResetKeep(stream) }
    }

    func step(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Step {
        switch engine {
        case .zlib(let stream): inflate(stream, input, output)
        case .brotli(let decoder): unbrotli(decoder, input, output)
        case .zstd(let context): unzstd(context, input, output)
        }
    }

    private func inflate(
        _ stream: UnsafeMutablePointer<z_stream>, _ input: UnsafeRawBufferPointer,
        _ output: UnsafeMutableRawBufferPointer
    ) -> Step {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(output.count)
        let result = CCodecs.inflate(stream, Z_NO_FLUSH)
        let state: State =
            switch result {
            case Z_OK, Z_BUF_ERROR: .running
            case Z_STREAM_END: .ended
            default: .broken
            }
        let left = Int(stream.pointee.avail_out)
        return Step(
            used: input.count - Int(stream.pointee.avail_in), filled: output.count - left, state: state,
            more: left == 0 && state == .running)
    }

    private func unbrotli(
        _ decoder: OpaquePointer, _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) -> Step {
        var (unread, room) = (input.count, output.count)
        var next = input.bindMemory(to: UInt8.self).baseAddress
        var free = output.bindMemory(to: UInt8.self).baseAddress
        let result = BrotliDecoderDecompressStream(decoder, &unread, &next, &room, &free, nil)
        let state: State =
            switch result {
            case BROTLI_DECODER_RESULT_SUCCESS: .ended
            case BROTLI_DECODER_RESULT_ERROR: .broken
            default: .running
            }
        return Step(
            used: input.count - unread, filled: output.count - room, state: state,
            more: result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT)
    }

    private func unzstd(
        _ context: OpaquePointer, _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) -> Step {
        let offered = isFrameStart ? min(input.count, 1) : input.count
        var bytes = ZSTD_inBuffer(src: input.baseAddress, size: offered, pos: 0)
        var room = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let result = ZSTD_decompressStream(context, &room, &bytes)
        if bytes.pos > 0 { isFrameStart = result == 0 }
        let state: State = ZSTD_isError(result) != 0 ? .broken : result == 0 ? .ended : .running
        return Step(
            used: bytes.pos, filled: room.pos, state: state, more: room.pos == room.size && state == .running)
    }
}
