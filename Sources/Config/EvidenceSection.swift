import DLP

/// What findings show besides the masked match.
public struct EvidenceSettings: Sendable, Equatable {
    public var context = 0
    /// Path of a public key in PEM.
    public var sealTo: String?
    var sealToPlace = Place(file: "", line: 1, column: 1)

    static func read(_ fields: Fields) -> EvidenceSettings {
        EvidenceSettings(
            context: fields.optional(
                "context", .integer(0...EvidenceSpec.contextMax), default: 0,
                "Bytes before and behind a match that records show, masked; 0: none."),
            sealTo: fields.path(
                "seal_to",
                "A PEM file with an X25519 public key: to it whole matches are sealed. Absent: they are not kept."
            ),
            sealToPlace: fields.place(of: "seal_to"))
    }
}

extension Settings {
    /// As it is compiled, with the key that it names.
    public var evidenceSpec: Result<EvidenceSpec, ConfigErrors> {
        var spec = EvidenceSpec(context: evidence.context)
        guard let path = evidence.sealTo else { return .success(spec) }
        func refuse(_ reason: String) -> ConfigErrors {
            ConfigErrors([ConfigError(evidence.sealToPlace, "seal_to: \(reason)")])
        }
        do throws(Files.Failure) {
            let pem = try Files.read(path)
            do throws(SealKey.Failure) { spec.sealTo = try SealKey(pem: pem) } catch {
                return .failure(refuse("\(shown(path)): \(error.message)"))
            }
        } catch {
            return .failure(refuse("expected a readable file, found \(error.reason)"))
        }
        return .success(spec)
    }
}
