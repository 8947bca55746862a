/// All detectors of a configuration, and the ready sensors they make up.
public struct Library: Sendable {
    /// The shipped ones first; one of the user's own by the same name stands in its place.
    public let detectors: [DetectorSpec]
    /// In the order in which detectors first name them.
    public let sensorNames: [String]
    private let places: [String: Int]
    private let members: [String: [Int]]

    public init(with own: [DetectorSpec] = []) {
        var detectors = ShippedDetectors.all
        var places: [String: Int] = [:]
        for (index, detector) in detectors.enumerated() { places[detector.name] = index }
        for detector in own {
            if let known = places[detector.name] {
                detectors[known] = detector
            } else {
                places[detector.name] = detectors.count
                detectors.append(detector)
            }
        }
        var members: [String: [Int]] = [:]
        var names: [String] = []
        for (index, detector) in detectors.enumerated() {
            for sensor in detector.sensors {
                if members[sensor] == nil { names.append(sensor) }
                members[sensor, default: []].append(index)
            }
        }
        (self.detectors, self.places, self.members, sensorNames) = (detectors, places, members, names)
    }

    /// Those of a ready sensor, or the one of the name; nil where there is neither.
    public func detectors(_ name: String) -> [DetectorSpec]? {
        members[name]?.map { detectors[$0] } ?? places[name].map { [detectors[$0]] }
    }
}
