#include "common/dist/peers.h"

#include <functional>
#include <thread>

#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

using dist::Deadline;
using dist::Introduction;
using dist::Peers;
using dist::Socket;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Deadline kSoon{milliseconds(0)};  // for what is there, or is not

Socket listen_here() { return Socket::listen(dist::kLoopback, 0, Deadline(seconds(1))); }
Socket connect_to(const Socket& listener) {
  return Socket::connect(dist::kLoopback, listener.port(), Deadline(seconds(1)));
}
Introduction rank_of(int rank, int world_size, const std::string& key = "key", const std::string& gpu = "") {
  return {.key = key, .rank = rank, .world_size = world_size, .gpu = gpu};
}

double seconds_of(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The message of the error that `body` ends with, or "".
std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Peers, MeetAndShareWhatRank0Has) {
  const Socket listener = listen_here();
  const Deadline deadline(seconds(10));
  std::vector<int> got(3);
  std::vector<std::thread> others;
  for (int rank = 1; rank < 3; ++rank) {
    others.emplace_back([&, rank] {
      const Peers peers = dist::meet("localhost", listener.port(), rank_of(rank, 3), deadline);
      dist::broadcast(peers, rank, &got[size_t(rank)], sizeof(int), deadline);
    });
  }
  const Peers peers = dist::meet(listener, rank_of(0, 3), deadline);
  got[0] = 42;
  dist::broadcast(peers, 0, got.data(), sizeof(int), deadline);
  for (std::thread& thread : others) thread.join();
  EXPECT_EQ(got, (std::vector{42, 42, 42}));
}

// Whoever finds rank 0's port: none takes a seat, ends the run, or holds it up.
TEST(Peers, NoStrangerDisturbsTheMeeting) {
  using Strangers = std::vector<Socket>;  // they stay until the ranks have met
  const auto say = [](const Socket& listener, const std::string& text) {
    Strangers strangers;
    strangers.push_back(connect_to(listener));
    EXPECT_TRUE(strangers[0].send(text.data(), text.size()));
    return strangers;
  };
  struct Case {
    std::string name;
    std::function<Strangers(const Socket&)> come;
  };
  const std::string magic("pdd2-tp2", 8);
  const std::vector<Case> cases = {
      {"silent", [&](const Socket& listener) { return say(listener, ""); }},
      {"one byte", [&](const Socket& listener) { return say(listener, "x"); }},
      {"a browser", [&](const Socket& listener) { return say(listener, "GET / HTTP/1.1\r\n\r\n"); }},
      {"the 16 bytes that once took a seat",
       [&](const Socket& listener) {
         return say(listener, "pddd2-tpg" + std::string("\1\0\0\0\2\0\0\0", 8));
       }},
      {"a greeting without the key",
       [&](const Socket& listener) {
         return say(listener, magic + std::string("\1\0\0\0\2\0\0\0", 8) + std::string(384, '\0'));
       }},
      {"1000 bytes", [&](const Socket& listener) { return say(listener, std::string(1000, 'x')); }},
      {"gone at once", [](const Socket& listener) { return connect_to(listener), Strangers(); }},
      {"300 silent ones",
       [](const Socket& listener) {
         Strangers strangers;
         for (int i = 0; i < 300; ++i) strangers.push_back(connect_to(listener));
         return strangers;
       }},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Socket listener = listen_here();
    std::thread rank1;
    Strangers strangers;
    const double took = seconds_of([&] {
      std::thread crowd([&] {
        strangers = c.come(listener);  // before rank 1
        rank1 = std::thread(
            [&] { dist::meet(dist::kLoopback, listener.port(), rank_of(1, 2), Deadline(seconds(20))); });
      });
      const Peers peers = dist::meet(listener, rank_of(0, 2), Deadline(seconds(20)));
      crowd.join();
      rank1.join();  // which was told to start: it has the seat
      EXPECT_EQ(peers.size(), 1u);
    });
    EXPECT_LE(took, 4);
  }
}

TEST(Peers, ARankOfAnotherRunIsSentAway) {
  const Socket listener = listen_here();
  std::string other, ours;
  std::thread theirs([&] {
    other = error_of(
        [&] { dist::meet(dist::kLoopback, listener.port(), rank_of(1, 2, "other"), Deadline(seconds(30))); });
  });
  std::thread mine([&] {
    std::this_thread::sleep_for(milliseconds(6000));  // longer than the other rank tries
    ours =
        error_of([&] { dist::meet(dist::kLoopback, listener.port(), rank_of(1, 2), Deadline(seconds(30))); });
  });
  EXPECT_EQ(dist::meet(listener, rank_of(0, 2), Deadline(seconds(30))).size(), 1u);
  theirs.join();
  mine.join();
  EXPECT_NE(other.find("rank 1: another program or another run listens at 127.0.0.1:"), std::string::npos)
      << other;
  EXPECT_EQ(ours, "");
}

// One deadline bounds all of it, whoever comes meanwhile.
TEST(Peers, TheDeadlineHoldsHoweverManyStrangersCome) {
  const Socket listener = listen_here();
  std::atomic<bool> over = false;
  std::thread crowd([&] {
    std::vector<Socket> strangers;
    while (!over) {
      strangers.push_back(connect_to(listener));
      std::this_thread::sleep_for(milliseconds(20));
    }
  });
  std::string error;
  const double took = seconds_of(
      [&] { error = error_of([&] { dist::meet(listener, rank_of(0, 12), Deadline(milliseconds(400))); }); });
  over = true;
  crowd.join();
  EXPECT_LE(took, 2);
  EXPECT_NE(error.find("rank 0: of 12 ranks these did not come to port"), std::string::npos) << error;
  EXPECT_NE(error.find("within 0.4 s: 1, 2, 3, 4, 5, 6, 7, 8, ...;"), std::string::npos) << error;
}

TEST(Peers, SayThatNobodyAnswers) {
  const int port = listen_here().port();  // closed again
  EXPECT_ERROR(dist::meet("localhost", port, rank_of(2, 3), Deadline(milliseconds(10))),
               "rank 2: no answer from rank 0 at");
  // A name that no server knows costs no more than the deadline.
  const double took = seconds_of([&] {
    EXPECT_ERROR(dist::meet("no-such-host.invalid", port, rank_of(2, 3), Deadline(milliseconds(500))),
                 "rank 2: no answer from rank 0 at no-such-host.invalid:");
  });
  EXPECT_LE(took, 3);
}

// Rank 0 has failed to listen, and its launcher ends nobody: the others end by themselves, long before the deadline.
TEST(Peers, EndAtOnceWhereSomebodyElseListens) {
  struct Case {
    std::string name;
    std::function<void(Socket)> serve;
  };
  const std::vector<Case> cases = {
      {"silent", [](Socket) { std::this_thread::sleep_for(milliseconds(200)); }},
      {"hangs up", [](Socket) {}},
      {"talks", [](Socket socket) { socket.send("220 mail.example.org ESMTP\r\n", 28); }},
      {"an echo", [](Socket socket) {
         char bytes[64];
         if (socket.receive(bytes, sizeof(bytes), Deadline(seconds(1)))) socket.send(bytes, sizeof(bytes));
       }}};
  std::vector<std::thread> threads;
  for (const Case& c : cases) {
    threads.emplace_back([&c] {
      const Socket listener = listen_here();
      std::atomic<bool> over = false;
      std::thread program([&] {
        while (!over) {
          if (Socket socket = listener.accept(); socket.defined()) c.serve(std::move(socket));
          std::this_thread::sleep_for(milliseconds(10));
        }
      });
      std::string error;
      const double took = seconds_of([&] {
        error = error_of(
            [&] { dist::meet(dist::kLoopback, listener.port(), rank_of(1, 2), Deadline(seconds(60))); });
      });
      over = true;
      program.join();
      EXPECT_NE(error.find("rank 1: another program or another run listens at 127.0.0.1:"), std::string::npos)
          << c.name << ": " << error;
      EXPECT_LE(took, 8) << c.name;
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Nothing tells a rank 0 that is slow from another program that never says a word. A run waits for the one as long as a
// lost rank may be silent.
TEST(Peers, WaitForASlowRank0AndNameItWhenItStaysSilent) {
  struct Case {
    int silence;  // seconds that rank 0 takes before it answers
    std::string expected;
  };
  const std::vector<Case> cases = {
      {1, ""},
      {7, ""},
      {14,
       "where something listens: rank 0 is too slow, or another program is there; --rendezvous-port takes"}};
  std::vector<std::thread> threads;
  for (const Case& c : cases) {
    threads.emplace_back([&c] {
      const Socket listener = listen_here();
      std::thread rank0([&] {
        std::this_thread::sleep_for(seconds(c.silence));
        error_of([&] { dist::meet(listener, rank_of(0, 2), Deadline(seconds(1))); });
      });
      const std::string error = error_of(
          [&] { dist::meet(dist::kLoopback, listener.port(), rank_of(1, 2), Deadline(seconds(60))); });
      EXPECT_EQ(error.empty(), c.expected.empty()) << error;
      EXPECT_NE(error.find(c.expected), std::string::npos) << error;
      rank0.join();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Peers, APortInUseIsNoListener) {
  const Socket listener = listen_here();
  EXPECT_FALSE(Socket::listen(dist::kLoopback, listener.port(), kSoon).defined());
  EXPECT_EQ(errno, EADDRINUSE);
  EXPECT_FALSE(Socket::listen("", listener.port(), kSoon).defined());
}

TEST(Peers, ListenWhereTheyWereTold) {
  const Deadline deadline(seconds(1));
  const Socket here = Socket::listen("127.0.0.2", 0, deadline);
  EXPECT_TRUE(Socket::connect("127.0.0.2", here.port(), deadline).defined());
  EXPECT_FALSE(Socket::connect("127.0.0.1", here.port(), deadline).defined());
  const Socket nowhere = Socket::listen("192.0.2.1", 0, deadline);  // no interface of ours: all of them
  EXPECT_TRUE(Socket::connect("127.0.0.1", nowhere.port(), deadline).defined());
}

// Ranks that have the key and still do not belong together.
TEST(Peers, RefuseWhatCannotBeOneRun) {
  struct Case {
    Introduction rank0;
    std::vector<Introduction> others;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {rank_of(0, 2), {rank_of(3, 4)}, "rank 3 belongs to a run of 4 ranks, rank 0 to one of 2"},
      {rank_of(0, 3), {rank_of(1, 3), rank_of(1, 3)}, "two processes are rank 1 of 3"},
      {rank_of(0, 2), {rank_of(0, 2)}, "two processes are rank 0 of 2"},
      {rank_of(0, 2), {rank_of(7, 2)}, "two processes are rank 7 of 2"},
      {rank_of(0, 2, "key", "a"), {rank_of(1, 2, "key", "a")}, "ranks 0 and 1 have the same GPU (a)"},
      {rank_of(0, 3, "key", "a"),
       {rank_of(1, 3, "key", "b"), rank_of(2, 3, "key", "b")},
       "have the same GPU (b)"},
      {rank_of(0, 2, "key", "a"), {rank_of(1, 2)}, "rank 0 uses a GPU and rank 1 a CPU"},
      {rank_of(0, 2), {rank_of(1, 2, "key", "a")}, "rank 0 uses a CPU and rank 1 a GPU"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.expected);
    auto listener = std::make_unique<Socket>(listen_here());
    const int port = listener->port();
    std::vector<std::thread> others;
    for (const Introduction& other : c.others) {
      others.emplace_back([&, port] {
        error_of([&] { dist::meet(dist::kLoopback, port, other, Deadline(milliseconds(500))); });
      });
    }
    EXPECT_ERROR(dist::meet(*listener, c.rank0, Deadline(seconds(10))), c.expected);
    listener.reset();
    for (std::thread& thread : others) thread.join();
  }
}

TEST(Peers, ARankThatIsLostWhileTheOthersComeEndsTheMeeting) {
  const Socket listener = listen_here();
  std::thread rank1([&] {
    error_of(
        [&] { dist::meet(dist::kLoopback, listener.port(), rank_of(1, 3), Deadline(milliseconds(300))); });
  });
  const double took = seconds_of([&] {
    EXPECT_ERROR(dist::meet(listener, rank_of(0, 3), Deadline(seconds(30))),
                 "rank 0: lost rank 1 before the run began");
  });
  rank1.join();
  EXPECT_LE(took, 5);
}

TEST(Peers, KeysAreNotGuessed) {
  EXPECT_EQ(dist::random_key().size(), 32u);
  EXPECT_NE(dist::random_key(), dist::random_key());
}

}  // namespace
}  // namespace gpt2::testing
