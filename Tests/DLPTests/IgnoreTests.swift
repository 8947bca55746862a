import Testing

@testable import DLP

/// What gitignore(5) says, case by case; `git check-ignore` answers the same.
@Suite struct IgnoreTests {
    struct Case: Sendable {
        var rules: String
        var path: String
        var expected: IgnoreRules.Verdict?

        init(_ rules: String, _ path: String, _ expected: IgnoreRules.Verdict?) {
            (self.rules, self.path, self.expected) = (rules, path, expected)
        }
    }

    @Test(arguments: [
        Case("a", "a", .ignored), Case("a", "b/a", .ignored), Case("a", "ab", nil), Case("/a", "b/a", nil),
        Case("/a", "a", .ignored), Case("b/a", "b/a", .ignored), Case("b/a", "c/b/a", nil),
        Case("a/", "a", nil), Case("a/", "a/", .ignored), Case("a/", "b/a/", .ignored), Case("b/a/", "b/a/", .ignored),
        Case("*.log", "x.log", .ignored), Case("*.log", "d/x.log", .ignored), Case("*.log", "x.logs", nil),
        Case("/*.log", "d/x.log", nil), Case("d/*.log", "d/x.log", .ignored), Case("d/*.log", "d/e/x.log", nil),
        Case("a?c", "abc", .ignored), Case("a?c", "ac", nil), Case("d?e", "d/e", nil),
        Case("[a-c]x", "bx", .ignored), Case("[!a-c]x", "bx", nil), Case("[^a-c]x", "dx", .ignored),
        Case("[]x]y", "]y", .ignored), Case("[a\\]]y", "]y", .ignored), Case("[a-", "[a-", nil),
        Case("[[:digit:]]", "7", .ignored), Case("[[:alpha:]_]", "_", .ignored), Case("[[:digit:]]", "x", nil),
        Case("**/a", "a", .ignored), Case("**/a", "x/y/a", .ignored), Case("**/a/b", "x/a/b", .ignored),
        Case("a/**", "a/b/c", .ignored), Case("a/**", "a", nil), Case("a/**/b", "a/b", .ignored),
        Case("a/**/b", "a/x/y/b", .ignored), Case("a/**/b", "a/xb", nil), Case("a/**/*.c", "a/b/c/d.c", .ignored),
        Case("a**b", "axxb", .ignored), Case("x/a**b", "x/a/b", nil), Case("*", "x/y", .ignored),
        Case("*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", nil),
        Case("**/a/**/a/**/a/*b", "a/a/a/a/a/a/a/a/a/a/a/a/c", nil),
        Case("a\n!a", "a", .kept), Case("!a\na", "a", .ignored), Case("*.log\n!keep.log", "d/keep.log", .kept),
        Case("# a", "# a", nil), Case("\\#a", "#a", .ignored), Case("\\!a", "!a", .ignored),
        Case("a \r", "a", .ignored),
        Case("a\\ ", "a ", .ignored), Case("a ", "a", .ignored), Case("", "", nil), Case("/", "a/", nil),
        Case("a\r\nb\r", "a", .ignored), Case("\\", "\\", nil), Case("\\*", "*", .ignored), Case("\\*", "x", nil),
    ]) func aRuleSays(_ c: Case) {
        let isDirectory = c.path.hasSuffix("/")
        let path = Array(c.path.utf8.prefix(c.path.utf8.count - (isDirectory ? 1 : 0)))
        #expect(IgnoreRules(Array(c.rules.utf8)).verdict(path[...], isDirectory: isDirectory) == c.expected)
    }
}
