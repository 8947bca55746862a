// java Client.java URL [BODY] asks with java.net.http, and prints status, version of HTTP and length of the body.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

class Client {
    public static void main(String[] words) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(words[0]));
        if (words.length > 1) {
            request.POST(HttpRequest.BodyPublishers.ofString(words[1]));
        }
        var answer = HttpClient.newHttpClient().send(request.build(), BodyHandlers.ofByteArray());
        var version = answer.version() == HttpClient.Version.HTTP_2 ? "2" : "1.1";
        System.out.println(answer.statusCode() + " " + version + " " + answer.body().length);
    }
}
