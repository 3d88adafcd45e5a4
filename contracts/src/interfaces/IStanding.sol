// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IStanding
/// @notice What others say about listed hubs: levels given by the DAO, ratings somebody bets tokens on, and the marks
/// that follow from a wallet's own state.
/// @dev Keyed by wallet; nothing here moves a wallet's money or changes its state. No function loops over a list.
///
/// In the beginning a curator may call hubs trusted, so that the first buyers find some. A vote ends that for ever (GV-04).
interface IStanding {
    /* TYPES */

    /// @notice How far a hub is known (GV-04, GV-06).
    enum Level {
        Unverified,
        Verified, // the DAO looked at it
        Trusted // the DAO, or in the beginning the curator, vouches for it
    }

    /// @notice Life of a rating. The last two are final, and such a rating counts no more.
    enum RatingState {
        None,
        Standing,
        TakenBack,
        Overturned
    }

    /// @notice One rating.
    struct Rating {
        // slot 0
        address rater;
        uint64 ratedAt;
        uint8 score;
        RatingState state;
        // slot 1
        address wallet;
        // slot 2
        uint128 stake; // base units
    }

    /* EVENTS */

    /// @notice The DAO looked at a hub, or takes it back.
    event VerifiedSet(address indexed wallet, bool verified);
    /// @notice Somebody who may vouches for a hub, or takes it back.
    event TrustedSet(address indexed wallet, address indexed by, bool trusted);
    /// @notice The curator's power ended for ever.
    event CurationEnded();
    /// @notice A hub was rated.
    event HubRated(uint256 indexed ratingId, address indexed wallet, address indexed rater, uint8 score, uint128 stake);
    /// @notice A rater took its stake back; the rating counts no more.
    event RatingTakenBack(uint256 indexed ratingId);
    /// @notice The DAO found a rating false: its stake went to the treasury and it counts no more.
    event RatingOverturned(uint256 indexed ratingId, uint128 stake);

    /* ERRORS */

    /// @notice Contracts without code, or no treasury.
    error StandingParametersInvalid();
    /// @notice Only the DAO.
    error NotStandingDao(address caller, address dao);
    /// @notice Only the DAO, or the curator before its power ended.
    error NotCurator(address caller);
    /// @notice The curator's power ended before.
    error CurationOver();
    /// @notice Only wallets in the whitelist have a standing.
    error WalletNotListed(address wallet);
    /// @notice Scores are 1 to 5.
    error ScoreOutOfRange(uint8 score);
    /// @notice A rating needs something at stake.
    error StakeTooLow(uint128 stake, uint128 min);
    /// @notice One rating per rater, wallet and period.
    error RatedAlready(uint64 nextAt);
    /// @notice The rating does not stand: there is none, it was taken back or overturned.
    error RatingNotStanding(uint256 ratingId, RatingState state);
    /// @notice Only its rater takes a rating back.
    error NotRater(address caller, address rater);
    /// @notice The stake must stay long enough for the rating to be overturned.
    error StakeHeld(uint64 until);

    /* FUNCTIONS: levels */

    /// @notice Says whether the DAO looked at a hub (GV-06). Only the DAO.
    /// @param wallet A listed wallet.
    /// @param verified The answer.
    function setVerified(address wallet, bool verified) external;

    /// @notice Vouches for a hub, or takes it back. The DAO; until `endCuration` also the curator.
    /// @param wallet A listed wallet.
    /// @param trusted The answer.
    function setTrusted(address wallet, bool trusted) external;

    /// @notice Ends the curator's power. Only the DAO, once; there is no way back.
    function endCuration() external;

    /* FUNCTIONS: ratings */

    /// @notice Rates a hub and bets `stake` on it (GV-05). Anyone, with an allowance.
    /// @param wallet A listed wallet.
    /// @param score 1 to 5.
    /// @param stake Base units, at least `STAKE_MIN`; the weight of the rating.
    /// @return ratingId Its number, from 1 on.
    function rate(address wallet, uint8 score, uint128 stake) external returns (uint256 ratingId);

    /// @notice Returns a rating's stake to its rater, after the holding time. Only the rater.
    /// @param ratingId A standing rating.
    function takeBack(uint256 ratingId) external;

    /// @notice Finds a rating false: its stake becomes the treasury's general money. Only the DAO.
    /// @param ratingId A standing rating.
    function overturn(uint256 ratingId) external;

    /* VIEWS */

    /// @notice How far a hub is known.
    /// @param wallet Any address; unverified if it is not listed.
    /// @return The level.
    function levelOf(address wallet) external view returns (Level);

    /// @notice The stake-weighted average of the standing ratings.
    /// @param wallet Any address.
    /// @return hundredths Of a score, rounded down; zero without ratings.
    /// @return stake What stands behind it, base units.
    function scoreOf(address wallet) external view returns (uint256 hundredths, uint128 stake);

    /// @notice Whether a hub is overdue with payday, and so with its fee (GV-13).
    /// @param wallet A wallet.
    /// @return True if it is registered and its period ended longer ago than the grace time.
    function isDelinquent(address wallet) external view returns (bool);

    /// @notice The certificate of legitimacy (GV-19): listed and registered, so neither suspected nor punished.
    /// @param wallet Any address.
    /// @return True while both hold.
    function isCertified(address wallet) external view returns (bool);

    /// @notice One rating.
    /// @param ratingId Its number.
    /// @return The rating; empty if there is none.
    function ratingOf(uint256 ratingId) external view returns (Rating memory);

    /// @notice How many ratings there were.
    /// @return The count, which is also the last one's number.
    function ratingCount() external view returns (uint256);

    /// @notice Whether the curator may still vouch for hubs.
    /// @return True until the DAO ended it.
    function isCurating() external view returns (bool);

    /// @notice Who may vouch for hubs in the beginning.
    /// @return The curator.
    function curator() external view returns (address);
}
