import Glibc

@testable import Config

/// The errors of a text, as they are printed, without the name of the file.
func errors(_ text: String, file: String = "weir.yaml") -> [String] {
    switch Settings.parse(text, file: file) {
    case .success: []
    case .failure(let failure): failure.errors.map { "\($0.line):\($0.column): \($0.message)" }
    }
}

/// A directory that goes with the value.
final class Scratch {
    let path: String

    init() {
        var template = Array("/tmp/weir-config-XXXXXX\0".utf8).map { CChar(bitPattern: $0) }
        path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
    }

    deinit {
        remove(path)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    @discardableResult
    func write(_ text: String, to name: String) -> String {
        let path = file(name)
        mkdir(Files.directory(of: path), 0o755)
        if let file = fopen(path, "w") {
            fputs(text, file)
            fclose(file)
        }
        return path
    }

    private func remove(_ path: String) {
        for name in entries(path) { remove("\(path)/\(name)") }
        Glibc.remove(path)
    }

    private func entries(_ path: String) -> [String] {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, let directory = opendir(path) else {
            return []
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

/// The root of the repository, where the examples are.
let repository = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
