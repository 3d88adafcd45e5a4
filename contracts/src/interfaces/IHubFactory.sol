// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {WalletParameters} from "../types/Wallet.sol";

/// @title IHubFactory
/// @notice Makes hub wallets and knows which ones it made.
/// @dev A wallet is a minimal clone of one implementation with its configuration in immutable arguments (R11): there is
/// no initialiser to front-run and nobody can change a wallet afterwards. The factory has no owner.
interface IHubFactory {
    /* EVENTS */

    /// @notice A wallet was made.
    /// @param wallet The clone.
    /// @param owner The hub that called, for ever the wallet's owner.
    /// @param salt What the hub chose.
    /// @param parameters The wallet's configuration.
    event HubCreated(address indexed wallet, address indexed owner, bytes32 salt, WalletParameters parameters);

    /* ERRORS */

    /// @notice The whitelist was deployed for another factory, of another DAO.
    error WhitelistOfOtherFactory(address factory);
    /// @notice Parameters no wallet could work with: an address without code, no quota, or a lock of everything.
    error ParametersInvalid();
    /// @notice The caller used this salt before.
    error WalletExists(address wallet);

    /* FUNCTIONS */

    /// @notice Makes the caller's wallet and lists it in the whitelist, in state Created.
    /// @dev The CREATE2 salt includes the caller, so nobody can take a hub's address; the same salt works once.
    /// @param salt Free choice of the caller.
    /// @return wallet The new wallet.
    function createHub(bytes32 salt) external returns (address wallet);

    /// @notice The address `createHub` gives.
    /// @param owner Who will call.
    /// @param salt What it will pass.
    /// @return wallet The address.
    function predictHub(address owner, bytes32 salt) external view returns (address wallet);

    /// @notice Whether this factory made `wallet`. Money belongs only into wallets for which this is true.
    /// @param wallet Any address.
    /// @return True for this factory's wallets.
    function isWallet(address wallet) external view returns (bool);

    /// @notice How many wallets `owner` made.
    /// @param owner A hub.
    /// @return The count.
    function walletCountOf(address owner) external view returns (uint256);

    /// @notice Wallets of `owner`, oldest first.
    /// @param owner A hub.
    /// @param offset How many to skip.
    /// @param limit How many to return at most.
    /// @return page The wallets.
    function walletsOf(address owner, uint256 offset, uint256 limit) external view returns (address[] memory page);

    /// @notice The code every wallet delegates to. It rejects every call made to itself.
    /// @return The implementation.
    function implementation() external view returns (address);

    /// @notice What every new wallet is made with.
    /// @return The parameters.
    function parameters() external view returns (WalletParameters memory);
}
