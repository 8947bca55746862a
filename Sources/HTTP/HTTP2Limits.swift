import Bytes

/// Every bound of an HTTP/2 connection. What the protocol can say of them is told to the peer in SETTINGS; what a peer
/// does beyond the others ends the connection with ENHANCE_YOUR_CALM.
public struct HTTP2Limits: Sendable, Equatable {
    /// Streams the peer may have open at a time. 128: browsers open up to 100.
    public var streamsMost = 128
    /// The fields of one head or trailer section after decompression, each with 32 bytes on top (RFC 9113 section
    /// 6.5.2). A few hundred bytes on the wire can stand for megabytes of them (CVE-2016-1544).
    public var headBytes = 64 * 1024
    /// Fields of one head or trailer section, pseudo-fields and each cookie crumb included; HTTP/1's bound.
    public var fieldsMost = 256
    /// CONTINUATION frames of one head (CVE-2024-28182). With frames of 16 KiB one head needs four.
    public var continuationsMost = 8
    /// Streams the peer may reset, or make us reset by what it sends wrongly, at once (CVE-2023-44487, CVE-2025-8671).
    /// A page that is left resets all its streams; a stream that ends in order earns one.
    public var resetsMost = 200
    /// As many of them come back with each tick.
    public var resetsPerTickMost = 20
    /// Frames that carry neither content nor a new request, at once: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty
    /// DATA, trailers and responses (CVE-2019-9512…9518). Streams and the data that we send earn more.
    public var controlFramesMost = 2000
    /// As many of them come back with each tick.
    public var controlFramesPerTickMost = 200
    /// Answers to such frames that wait while the peer reads none of them.
    public var answersMost = 500
    /// Heads and control frames that are ready while the peer reads none. From there on they stay with their streams,
    /// which then count as open.
    public var backlogBytes = 256 * 1024
    /// Entries of one SETTINGS frame.
    public var settingsMost = 32
    /// The dynamic table of HPACK, in each direction. 4096: what the protocol starts with.
    public var tableBytes = 4096
    /// The payload of a frame. 16 KiB: what every peer must take.
    public var frameBytes = 16 * 1024
    /// What may come on one stream before it is consumed. 128 KiB: 13 Mbit/s on a path of 80 ms.
    public var streamWindowBytes = 128 * 1024
    /// What may be under way on all streams. Its credit goes back at once, so that a held stream starves no other.
    public var connectionWindowBytes = 16 * 1024 * 1024

    public init() {}

    /// With the bounds of heads that hold for HTTP/1, too.
    public init(_ limits: Limits) {
        headBytes = limits.headBytes
        fieldsMost = limits.headFields
    }

    /// For the heads handed in as text: they were within the bounds before the gateway added its own fields.
    var texts: Limits {
        var limits = Limits()
        limits.headBytes = 2 * headBytes + 4096
        limits.headFields = fieldsMost + 32
        return limits
    }
}
